"""What is taken out of a model's reply, and what the model is told when nothing is."""

from __future__ import annotations

import pytest

from pytest_neucomback.extract import extract
from pytest_neucomback.types import Candidate, NoCandidate

ATT = "\t.text\n\t.globl\tf\nf:\n\tmovl\t%edi, %eax\n\taddl\t$1, %eax\n\tret\n"
OTHER = "f:\n\tleal\t1(%rdi), %eax\n\tret\n"
INTEL = ".globl f\nf:\n    mov eax, dword ptr [rdi]\n    add eax, 1\n    ret\n"
AARCH64 = ".globl f\nf:\n    add w0, w0, #1\n    ret\n"
RISCV = ".globl f\nf:\n    addiw a0, a0, 1\n    ret\n"
IR = "define i32 @f(i32 %x) {\nentry:\n  %r = add nsw i32 %x, 1\n  ret i32 %r\n}\n"
C = "int f(int x)\n{\n    return x + 1;\n}\n"


def fenced(code: str, tag: str = "asm", fence: str = "```") -> str:
    return f"{fence}{tag}\n{code}{fence}\n"


def candidate(text: str, function: str = "f", arch: str = "x86_64", finish_reason: str = "stop") -> Candidate:
    result = extract(text, function, arch=arch, finish_reason=finish_reason)
    assert isinstance(result, Candidate), result
    return result


def refusal(text: str, function: str = "f", arch: str = "x86_64", finish_reason: str = "stop") -> str:
    result = extract(text, function, arch=arch, finish_reason=finish_reason)
    assert isinstance(result, NoCandidate), result
    assert "\n" not in result.reason
    assert result.reason.endswith(".")
    return result.reason


class TestFences:
    @pytest.mark.parametrize("tag", ["asm", "assembly", "s", "gas", "x86asm", "nasm", "", "c", "text", "asm x86_64"])
    def test_any_language_tag(self, tag: str) -> None:
        """The language tag decides nothing, not even a wrong one."""
        assert candidate(fenced(ATT, tag)).assembly == ATT

    @pytest.mark.parametrize("fence", ["```", "~~~", "````", "~~~~~"], ids=["backticks", "tildes", "four", "five"])
    def test_any_fence(self, fence: str) -> None:
        """Backticks and tildes of any length from three open a block."""
        assert candidate(fenced(ATT, fence=fence)).assembly == ATT

    def test_prose_around(self) -> None:
        """Prose before and after the block is not code."""
        text = f"Here is the assembly:\n\n{fenced(ATT)}\nIt adds one to `x`, as f: requires."
        assert candidate(text) == Candidate(ATT)

    def test_indented_fence(self) -> None:
        """A block inside a list item is found, indentation and all."""
        inner = "".join(f"   {line}\n" for line in ["```asm", *OTHER.splitlines(), "```"])
        assert candidate(f"1. The code:\n\n{inner}").assembly.split() == OTHER.split()

    def test_fence_longer_than_the_closing_candidates_inside(self) -> None:
        """A shorter fence inside a longer one does not close it."""
        assert candidate(f"````asm\n{ATT}````\nbye ```\n").assembly == ATT

    def test_markdown_wrapper(self) -> None:
        """A whole answer wrapped in a longer Markdown fence is unwrapped."""
        text = f"````markdown\nSure:\n{fenced(ATT)}````\n"
        assert candidate(text).assembly == ATT

    def test_markdown_wrapper_of_equal_length(self) -> None:
        """The same with a wrapper no longer than the fence within."""
        assert candidate(f"```markdown\nSure:\n{fenced(ATT)}```\n").assembly == ATT

    def test_opening_fence_after_prose(self) -> None:
        """An opening fence that shares its line with prose opens a block."""
        assert candidate(f"Here it is: ```asm\n{ATT}```").assembly == ATT

    def test_closing_fence_after_code(self) -> None:
        """A closing fence stuck to the last instruction closes the block and is no part of it."""
        assert candidate("```asm\nf:\n    ret```\nDone.") == Candidate("f:\n    ret\n")

    def test_forgotten_closing_fence(self) -> None:
        """A fence with a language tag opens the next block even when the one before was never closed."""
        assert candidate(f"```asm\n{ATT}\n```c\n{C}```").assembly == ATT

    def test_code_gets_a_final_newline(self) -> None:
        """GNU as warns about files without a final newline, so there is one."""
        assert candidate("```\nf:\n ret\n\n\n```").assembly == "f:\n ret\n"

    def test_inline_code_is_no_block(self) -> None:
        """Single backticks in prose are neither fences nor code."""
        assert "holds no assembly" in refusal("Use `f: ret` and `mov %eax, %eax` there.")

    def test_empty_block_is_ignored(self) -> None:
        """An empty block beside a full one does not matter."""
        assert candidate(f"```asm\n```\n{fenced(ATT)}").assembly == ATT


class TestCharacters:
    @pytest.mark.parametrize("end", ["\r\n", "\r", "\u2028"], ids=["crlf", "cr", "line-separator"])
    def test_line_ends(self, end: str) -> None:
        """Every line end becomes a newline."""
        assert candidate(fenced(ATT).replace("\n", end)).assembly == ATT

    def test_byte_order_mark(self) -> None:
        """A byte order mark before the fence does not hide it."""
        assert candidate("\ufeff" + fenced(ATT)) == Candidate(ATT)

    def test_non_breaking_spaces(self) -> None:
        """Non-breaking spaces become spaces, and the candidate says so."""
        result = candidate("```asm\nf:\n\u00a0\u00a0\u00a0\u00a0movl\u00a0%edi, %eax\n    ret\n```")
        assert result.assembly == "f:\n    movl %edi, %eax\n    ret\n"
        assert result.notes == ("characters: replaced non-breaking spaces and removed invisible characters",)

    def test_zero_width_characters(self) -> None:
        """Zero-width characters vanish, in fences, labels and code."""
        text = "\u200b```asm\n\u200bf\u200d:\n    ret\u2060\n```"
        assert candidate(text).assembly == "f:\n    ret\n"

    def test_tabs_stay(self) -> None:
        """Tabs are fine for every assembler and stay as they are."""
        assert "\tmovl\t%edi, %eax\n" in candidate(fenced(ATT)).assembly

    def test_typographic_minus(self) -> None:
        """A minus sign from a word processor becomes the ASCII one."""
        assert "-8(%rsp)" in candidate("```\nf:\n movl \u22128(%rsp), %eax\n ret\n```").assembly


class TestReasoning:
    def test_block_is_dropped(self) -> None:
        """Code inside reasoning is never taken."""
        assert candidate(f"<think>Maybe\n{fenced(OTHER)}</think>\n{fenced(ATT)}").assembly == ATT

    def test_missing_opening_tag(self) -> None:
        """Without an opening tag all up to the last closing tag is reasoning."""
        assert candidate(f"Maybe\n{fenced(OTHER)}\n</think>\n{fenced(ATT)}").assembly == ATT

    def test_nested_tags(self) -> None:
        """A tag quoted inside the reasoning does not end it early."""
        assert candidate(f"<think>a <think> b </think>\n{fenced(OTHER)}</think>{fenced(ATT)}").assembly == ATT

    def test_cut_off_reasoning(self) -> None:
        """Reasoning that never ended is reported as such."""
        reason = refusal(f"<think>Let me see\n{fenced(OTHER)}", finish_reason="length")
        assert reason.startswith("The reasoning was cut off at the token limit before any answer;")

    def test_unclosed_reasoning_without_limit(self) -> None:
        """The same when the endpoint claims that the reply ended by itself."""
        assert refusal("<think>Hmm. f:\n ret").startswith("The reasoning was cut off before any answer;")

    def test_answer_before_unclosed_reasoning(self) -> None:
        """A complete answer before an unclosed tag counts."""
        assert candidate(f"{fenced(ATT)}<think>Was that right?").assembly == ATT

    def test_only_reasoning(self) -> None:
        """Closed reasoning with nothing after it is no answer."""
        assert refusal(f"<think>{fenced(ATT)}</think>\n").startswith("The reply holds only reasoning")

    @pytest.mark.parametrize("tag", ["thinking", "thought", "reasoning", "THINK"])
    def test_other_spellings(self, tag: str) -> None:
        """Other names of the tag are known."""
        assert candidate(f"<{tag}>{fenced(OTHER)}</{tag}>{fenced(ATT)}").assembly == ATT


class TestChoice:
    def test_the_last_definition_wins(self) -> None:
        """Models correct themselves, so the later of two complete blocks is meant."""
        assert candidate(f"{fenced(ATT)}Wait, shorter:\n{fenced(OTHER)}").assembly == OTHER

    def test_a_later_fragment_loses(self) -> None:
        """A few lines with the label but no return do not replace a complete function."""
        fragment = "f:\n\tmovl\t%edi, %eax\n\tjmp\t.L2\n"
        assert candidate(f"{fenced(ATT)}The start:\n{fenced(fragment)}").assembly == ATT

    def test_a_later_elided_block_loses(self) -> None:
        """A block that leaves code out with an ellipsis is a fragment even when it returns."""
        elided = "f:\n\tpushq\t%rbx\n\t# ... as before ...\n\tret\n"
        assert candidate(f"{fenced(ATT)}{fenced(elided)}").assembly == ATT

    def test_a_later_diff_loses(self) -> None:
        """A diff with the label in its context is not a function."""
        diff = " f:\n-\taddl\t$1, %eax\n+\tincl\t%eax\n \tret\n"
        assert candidate(f"{fenced(ATT)}{fenced(diff, 'diff')}").assembly == ATT

    def test_only_a_diff(self) -> None:
        """A lone diff is refused, with what to send instead."""
        diff = "--- a.s\n+++ b.s\n@@ -1,3 +1,3 @@\n f:\n-\taddl\t$1, %eax\n+\tincl\t%eax\n \tret\n"
        assert "shows a diff, not the whole function" in refusal(fenced(diff, "diff"))

    def test_a_fragment_alone_is_taken(self) -> None:
        """With nothing better the fragment is judged: its verdict says more than a refusal."""
        assert candidate(fenced("f:\n\tmovl\t%edi, %eax\n")).assembly.startswith("f:")

    def test_usage_example_after_the_code(self) -> None:
        """A later block that calls the function does not define it."""
        caller = "main:\n\tcall\tf\n\tret\n"
        assert candidate(f"{fenced(ATT)}Call it so:\n{fenced(caller)}").assembly == ATT

    @pytest.mark.parametrize(("other", "tag"), [(IR, "llvm"), (C, "c"), (IR, ""), (C, "asm")])
    def test_other_languages_never_win(self, other: str, tag: str) -> None:
        """IR and C are passed over whatever their tag, before and after the assembly."""
        assert candidate(f"{fenced(other, tag)}{fenced(ATT)}{fenced(other, tag)}").assembly == ATT

    @pytest.mark.parametrize(
        "other",
        [
            IR,
            C,
            "define void @f() {\nf:\n  ret void\n}\n",
            "void f(void) {\nf:\n    goto f;\n}\n",
            'void f(void) {\n    __asm__("f:\\n\\tret");\n}\n',
            "def f(x):\n    return x + 1\n",
            "gcc -c f.s -o f.o\nobjdump -d f.o\n",
        ],
        ids=["ir", "c", "ir-label", "c-label", "inline-asm", "python", "shell"],
    )
    def test_only_another_language(self, other: str) -> None:
        """A reply with nothing but another language has no candidate."""
        assert "holds no assembly that defines `f:`" in refusal(fenced(other, "asm"))

    def test_c_in_comments_is_assembly(self) -> None:
        """Source code quoted in comments does not make a block C."""
        code = "# int f(int x) {\n#   return x;\n# }\nf:\n\tmovl\t%edi, %eax\t# for (;;) {\n\tret\n"
        assert candidate(fenced(code)).assembly == code

    def test_block_comments(self) -> None:
        """Neither does a C comment with a list in it, nor is that a diff."""
        code = "/*\n- x in edi\nint f(int x) {\n*/\nf:\n\tmovl\t%edi, %eax\n\tret\n"
        assert candidate(fenced(code)).assembly == code

    def test_quoted_label(self) -> None:
        """The label may be quoted, as LLVM does for odd names."""
        assert candidate('```\n"f":\n ret\n```').assembly == '"f":\n ret\n'

    def test_indented_label_with_code_behind(self) -> None:
        """The label may be indented and share its line."""
        assert candidate("```\n   f: ret\n```").assembly == "   f: ret\n"

    def test_label_with_dots(self) -> None:
        """The name is matched literally and as a whole."""
        assert candidate(fenced("a.b:\n\tret\n") + fenced("xa.b:\n\tret\n"), "a.b").assembly == "a.b:\n\tret\n"

    def test_a_label_in_a_comment_does_not_define(self) -> None:
        """A comment that ends in the name and a colon is no definition."""
        code = "g:\n\tret\n/*\nf:\n*/\n"
        assert candidate(fenced(code)).notes == ("no label `f:` in the reply's only assembly block",)

    def test_wrong_name(self) -> None:
        """The only assembly block is taken without the label; the build will name the missing symbol."""
        result = candidate(fenced("g:\n\tmovl\t%edi, %eax\n\tret\n"))
        assert result.notes == ("no label `f:` in the reply's only assembly block",)

    def test_two_wrong_names(self) -> None:
        """Of two such blocks none is guessed."""
        reason = refusal(fenced("g:\n\tmovl\t%edi, %eax\n\tret\n") + fenced("h:\n\tmovl\t%edi, %eax\n\tret\n"))
        assert reason == (
            "The reply has 2 blocks of assembly and none defines `f:`; answer with one fenced block that does."
        )


class TestNoFence:
    def test_raw_assembly(self) -> None:
        """A reply that is nothing but assembly is taken whole."""
        result = candidate(ATT)
        assert result.assembly == ATT
        assert result.notes == ("no code fence: took the lines of assembly",)

    def test_assembly_amid_prose(self) -> None:
        """Assembly between paragraphs is cut out."""
        text = f"Here is f, using %eax:\n\n{ATT}\nExplanation:\nIt returns x plus one, in %eax.\n"
        assert candidate(text).assembly == ATT

    def test_comments_and_blank_lines_stay_inside(self) -> None:
        """Comments and blank lines between instructions do not end the code."""
        code = "f:\n    # load it\n    movl (%rdi), %eax\n\n    # done\n    ret\n"
        assert candidate(f"Sure.\n{code}\nThat is all.").assembly == code

    def test_the_last_raw_definition_wins(self) -> None:
        """The rule about corrections holds without fences too."""
        assert candidate(f"First try:\n{ATT}\nBetter like this:\n{OTHER}").assembly == OTHER

    @pytest.mark.parametrize(("code", "arch"), [(AARCH64, "aarch64"), (RISCV, "riscv64")])
    def test_other_arches(self, code: str, arch: str) -> None:
        """Assembly of the other arches is recognised."""
        assert candidate(f"The code is below.\n\n{code}\nI hope this helps!", arch=arch).assembly == code

    def test_raw_beside_a_block_of_c(self) -> None:
        """Raw assembly counts when the only block is C."""
        assert candidate(f"From\n{fenced(C, 'c')}I get\n\n{ATT}").assembly == ATT

    def test_raw_without_the_label(self) -> None:
        """Raw assembly without the label is taken when there is one stretch of it."""
        result = candidate("g:\n\tmovl\t%edi, %eax\n\taddl\t$1, %eax\n\tret\n")
        assert result.notes == ("no code fence and no label `f:`: took the lines of assembly",)

    def test_unknown_instruction_amid_code(self) -> None:
        """A line nobody knows between two lines of code is left for the assembler to judge."""
        code = "f:\n\tmovl\t%edi, %eax\n\tfrobnicate\n\taddl\t$1, %eax\n\tret\n"
        assert candidate(code).assembly == code


class TestCutOff:
    def test_unclosed_fence_that_stopped(self) -> None:
        """A forgotten closing fence at the end is forgiven, and noted."""
        result = candidate(f"```asm\n{ATT}")
        assert result == Candidate(ATT, ("fence: the closing fence was missing",))

    def test_unclosed_fence_at_the_limit(self) -> None:
        """An unclosed block of a reply cut off at the limit is not judged."""
        reason = refusal(f"```asm\n{ATT}", finish_reason="length")
        assert reason.startswith("The reply was cut off at the token limit before the assembly of `f` was complete;")

    def test_complete_block_before_the_cut(self) -> None:
        """A complete block before the cut is good."""
        assert candidate(f"{fenced(ATT)}Now let me explain in", finish_reason="length").assembly == ATT

    def test_second_try_cut_off(self) -> None:
        """When a correction is cut off the complete block before it stands."""
        assert candidate(f"{fenced(ATT)}Better:\n```asm\nf:\n\tmovl", finish_reason="length").assembly == ATT

    def test_fragment_before_the_cut(self) -> None:
        """A closed fragment before the cut is not enough."""
        assert "cut off at the token limit" in refusal(
            fenced("f:\n\tmovl\t%edi, %eax\n") + "and so", finish_reason="length"
        )

    def test_raw_assembly_at_the_limit(self) -> None:
        """Nobody knows whether raw assembly was finished, so it is not judged."""
        assert "cut off at the token limit" in refusal(ATT, finish_reason="length")

    def test_nothing_before_the_cut(self) -> None:
        """An empty reply at the limit is blamed on the limit."""
        assert refusal("", finish_reason="length").startswith("The reply was cut off at the token limit before any")


class TestRefusals:
    @pytest.mark.parametrize("text", ["", " \n\t\r\n", "\ufeff\u200b\u00a0"], ids=["empty", "blank", "invisible"])
    def test_empty(self, text: str) -> None:
        """An empty reply is called empty, or devoid of an answer."""
        assert "answer with one fenced block that defines `f:`" in refusal(text)

    def test_refusal_is_quoted(self) -> None:
        """A refusal is quoted, on one line and no longer than needed."""
        text = "I'm sorry, but I can't\nhelp with that. " + "Writing assembly by hand is risky. " * 10
        reason = refusal(text)
        assert "(it begins: \"I'm sorry, but I can't help with that. Writing assembly" in reason
        assert len(reason) < 250

    @pytest.mark.parametrize(
        "text",
        [
            "Note: the function adds, then returns.",
            "First, load x. Second, add one. Third, return.",
            "Add the (signed) value in %edi to 1.\nThen return it.\nGood luck!",
            "1. Load\n2. Add\n3. Return\n",
        ],
    )
    def test_prose_is_not_assembly(self, text: str) -> None:
        """Sentences about assembly are not assembly."""
        assert "holds no assembly" in refusal(text)


class TestIntelSyntax:
    def test_directive_is_put_in_front(self) -> None:
        """Intel syntax without its directive gets it, and a note."""
        result = candidate(fenced(INTEL))
        assert result.assembly == ".intel_syntax noprefix\n" + INTEL
        assert result.notes == ("intel syntax: put `.intel_syntax noprefix` in front",)

    @pytest.mark.parametrize(
        "line",
        ["mov eax, [rdi]", "xor eax, eax", "push rbx", "movss xmm0, dword ptr [a+rax*4]", "vaddps ymm0, ymm1, ymm2"],
    )
    def test_one_line_is_enough(self, line: str) -> None:
        """A single bare register as an operand shows it."""
        assert candidate(f"```\nf:\n  {line}\n  ret\n```").assembly.startswith(".intel_syntax noprefix\n")

    def test_present_directive_is_kept(self) -> None:
        """Code that names its syntax is left alone."""
        code = "    .intel_syntax noprefix\n" + INTEL
        assert candidate(fenced(code)) == Candidate(code)

    @pytest.mark.parametrize(
        "code",
        [
            ATT,
            "f:\n\tret\n",
            "f:\n\tmovl\t$5, a(%rip)\n\tret\n",
            "f:\n\tmovl\t$0, counter\n\tjmp\tg\n",
            "f:\n\tmovl\t%edi, %eax\t# mov eax, edi\n\tret\n",
            "# uses rax and rdi\nf:\n\tcall\tg@PLT\n\tret\n",
            'f:\n\tcall\tg\n\tret\n\t.section .rodata\nm:\t.string "mov eax, edi"\n',
        ],
        ids=["at&t", "no-operands", "rip", "symbols-only", "intel-in-comment", "comment-only", "string"],
    )
    def test_at_and_t_is_left_alone(self, code: str) -> None:
        """AT&T code, and code that could be either, stays as it is."""
        assert candidate(fenced(code)) == Candidate(code)

    @pytest.mark.parametrize(
        ("code", "arch"),
        [(AARCH64, "aarch64"), (RISCV, "riscv64"), ("f:\n    mov sp, x29\n    ret\n", "aarch64")],
    )
    def test_other_arches_are_left_alone(self, code: str, arch: str) -> None:
        """Bare registers are how other arches write them."""
        assert candidate(fenced(code), arch=arch) == Candidate(code)
