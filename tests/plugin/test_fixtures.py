"""The fixtures in tests of a user's own."""

from __future__ import annotations

from evaluation import Project, correct, no_op

USER_TESTS = """
def test_everything(nc_task, nc_model, nc_arch, nc_prompt, nc_toolchain, nc_runner, nc_reference, nc_candidate):
    assert nc_task.function == nc_task.name
    assert nc_model.name.startswith("files:")
    assert nc_arch.name == "x86_64"
    assert nc_prompt.label == "baseline"
    assert nc_toolchain.arch is nc_arch or nc_toolchain.arch.name == nc_arch.name
    assert nc_reference.path.exists()
    assert nc_candidate.verdict == "correct"
    assert nc_runner.judge(nc_candidate.assembly).verdict == "correct"
    assert nc_runner.judge(nc_candidate.assembly.replace("$256", "$255")).verdict == "wrong_output"
    assert nc_candidate.record.task == nc_task.id

def test_only_the_task(nc_task):
    assert nc_task.c_path.exists()

def test_task_and_arch(nc_reference, nc_arch):
    assert nc_reference.path.read_bytes()[:4] == b"\\x7fELF"

def test_only_the_model(nc_model):
    assert nc_model.identity()
"""


def test_a_test_runs_once_per_what_its_fixtures_name(project: Project) -> None:
    """Task alone: once per task. Model alone: once per model. Candidate: once per item, with every fixture usable."""
    project.pytester.makepyfile(USER_TESTS)
    right = {task: correct(task) for task in ("bump", "negate", "triple")}
    models = f"{project.answers('one', **right)},{project.answers('two', **right)}"
    result = project.run(f"--nc-model={models}", "-v", "--nc-report=report")
    result.assert_outcomes(passed=3 * 2 + 3 + 3 + 2)
    result.stdout.fnmatch_lines(
        [
            "*::test_everything[[]bump-files:two-x86_64-baseline[]] PASSED*",
            "*::test_only_the_task[[]bump[]] PASSED*",
            "*::test_task_and_arch[[]negate-x86_64[]] PASSED*",
            "*::test_only_the_model[[]files:one[]] PASSED*",
        ]
    )
    assert len(project.results()["items"]) == 6


def test_without_a_model_tests_of_ones_own_are_skipped(project: Project) -> None:
    """Whatever fixture they use; tests that use none run."""
    project.pytester.makepyfile(USER_TESTS + "\ndef test_other(): pass\n")
    project.run().assert_outcomes(passed=1, skipped=4)


def test_a_candidate_can_be_benchmarked(project: Project) -> None:
    """`benchmark(nc_candidate.run)` measures; a candidate without assembly fails the test in a sentence."""
    project.pytester.makepyfile(
        """
        def test_speed(nc_candidate, benchmark):
            benchmark(nc_candidate.run)
        """
    )
    model = project.answers("answers", bump=correct("bump"), negate="I would rather not.")
    result = project.run(
        f"--nc-model={model}", "--nc-level=mini", "--benchmark-max-time=0.05", "--benchmark-min-rounds=2"
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*test_speed*bump-files:answers-x86_64-baseline*"])
    result.stdout.fnmatch_lines(["there is no assembly to run (no_candidate: *"])
    assert "Traceback" not in result.stdout.str()


def test_a_wrong_candidate_fails_the_test_that_asserts_on_it(project: Project) -> None:
    """The fixture itself does not judge the model: a test may assert that a candidate is wrong."""
    project.pytester.makepyfile(
        """
        def test_wrong(nc_candidate):
            assert nc_candidate.verdict == "wrong_output"
            assert "a: " in nc_candidate.diagnostic
            assert nc_candidate.timing is None
        """
    )
    model = project.answers("answers", bump=no_op("bump"))
    project.run(f"--nc-model={model}", "-k", "bump").assert_outcomes(passed=1)


def test_a_module_of_ones_own_shares_items_with_the_benchmark(project: Project) -> None:
    """Two tests on the same item: the model is asked once, one record is written."""
    project.pytester.makepyfile(
        test_one="from pytest_neucomback.items import test_task",
        test_two="def test_again(nc_candidate): nc_candidate.require_correct()",
    )
    model = project.answers("answers", bump=correct("bump"))
    result = project.run(f"--nc-model={model}", "-k", "bump", "--nc-report=report")
    result.assert_outcomes(passed=2)
    assert len(project.records()) == 1


def test_hooks_give_models_and_see_records(project: Project) -> None:
    """A conftest.py may bring a model of its own, change the tasks, and watch records and the summary."""
    project.pytester.makeconftest(
        f'''
        from pytest_neucomback.models import ScriptedModel

        def pytest_neucomback_model(name, config):
            return ScriptedModel(["""```assembly\n{correct("bump")}```"""], name) if name == "house:one" else None

        def pytest_neucomback_tasks(tasks, config):
            tasks[:] = [t for t in tasks if t.name == "bump"]

        def pytest_neucomback_record(record, config):
            print("RECORD", record.task, record.verdict)

        def pytest_neucomback_summary(results, settings, config):
            results["run"]["house"] = settings.models[0]
        '''.replace("\n        ", "\n")
    )
    result = project.run("--nc-model=house:one", "--nc-report=report", "-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*RECORD bump correct*"])
    assert project.results()["run"]["house"] == "house:one"
