#include <stddef.h>
#include <stdint.h>

/* PUBLISH only; the other packets have fixed shapes and are taken apart by the session layer. */

typedef struct mqtt_pub {
	uint32_t dup : 1;
	uint32_t qos : 2;
	uint32_t retain : 1;
	uint32_t levels : 16;      /* "a/b/c" has three */
	uint32_t topic_hash;
	uint16_t topic_off, topic_len;
	uint16_t packet_id;        /* 0 when QoS is 0 */
	uint32_t payload_off, payload_len;
} mqtt_pub_t;

enum mqtt_err {
	MQTT_E_TYPE    = -1,
	MQTT_E_QOS     = -2,
	MQTT_E_DUP     = -3,
	MQTT_E_LENGTH  = -4,
	MQTT_E_SHORT   = -5,       /* remaining length too small for its fields */
	MQTT_E_TOPIC   = -6,
	MQTT_E_UTF8    = -7,
	MQTT_E_ID      = -8,
};

static const uint32_t kHashSeed = 0x811C9DC5u, kHashMul = 0x9E3779B1u;

int mqtt_publish_parse(const uint8_t *p, size_t n, struct mqtt_pub *out)
{
	size_t pos = 1, end, topicEnd;
	uint32_t remaining = 0, hash = kHashSeed;
	unsigned shift, follow, levels, topicLen, id, qos;
	uint8_t group;

	if (n == 0) return 0;
	if (p[0] >> 4 != 3) return MQTT_E_TYPE;
	qos = (p[0] >> 1) & 3u;
	if (qos == 3) return MQTT_E_QOS;
	if (qos == 0 && (p[0] & 0x08)) return MQTT_E_DUP;

	for (shift = 0; ; shift += 7) {
		if (shift == 28) return MQTT_E_LENGTH;
		if (pos == n) return 0;
		group = p[pos++];
		remaining |= (uint32_t)(group & 0x7F) << shift;
		if (!(group & 0x80)) break;
	}
	if (group == 0 && shift != 0) return MQTT_E_LENGTH;   /* padded with a zero group */

	if (remaining < (qos ? 4u : 2u)) return MQTT_E_SHORT;
	if (remaining > n - pos) return 0;
	end = pos + remaining;

	topicLen = (unsigned)p[pos] << 8 | p[pos + 1];
	pos += 2;
	if (topicLen + (qos ? 2u : 0u) > end - pos) return MQTT_E_SHORT;
	if (topicLen == 0) return MQTT_E_TOPIC;
	topicEnd = pos + topicLen;

	out->topic_off = (uint16_t)pos;
	out->topic_len = (uint16_t)topicLen;

	follow = 0;
	levels = 1;
	for (; pos < topicEnd; pos++) {
		uint8_t c = p[pos];

		if (follow) {
			if ((c & 0xC0) != 0x80) return MQTT_E_UTF8;
			follow--;
		} else if (c >= 0x80) {
			if ((c & 0xE0) == 0xC0 && c >= 0xC2) follow = 1;
			else if ((c & 0xF0) == 0xE0) follow = 2;
			else return MQTT_E_UTF8;
		} else {
			switch (c) {
			case 0: case '#': case '+': return MQTT_E_TOPIC;
			case '/': levels++; break;
			default: break;
			}
		}
		hash = (hash ^ c) * kHashMul;
	}
	if (follow) return MQTT_E_UTF8;

	id = 0;
	if (qos) {
		id = (unsigned)p[pos] << 8 | p[pos + 1];
		pos += 2;
		if (id == 0) return MQTT_E_ID;
	}

	out->dup = (p[0] >> 3) & 1u;
	out->qos = qos & 3u;
	out->retain = p[0] & 1u;
	out->levels = levels & 0xFFFFu;
	out->topic_hash = hash ^ hash >> 15;
	out->packet_id = (uint16_t)id;
	out->payload_off = (uint32_t)pos;
	out->payload_len = (uint32_t)(end - pos);
	return (int)end;
}
