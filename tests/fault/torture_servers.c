/*
 * torture_servers - servers that refuse
 *
 * What fails here is not a call but its answer, so something is asked of the real server that it must refuse: a statement
 * that raises an error, an exchange, a queue or a delivery that there is not. What follows is the server's own doing. Only
 * a confirm is changed on its way: a broker refuses a message (basic.nack) when it cannot keep it.
 */
#include <amqp.h>
#include <amqp_framing.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <sys/socket.h>

#include "torture.h"

/* --- the database: HOW is one of these SQLSTATEs */
static const char *const codes[] = {"40P01", "53200", "57014", "25006", "57P01", "42501"};

static bool refuses(char *sql, size_t size)
{
    if (!torture_fails(TORTURE_SQL, 0))
        return false;
    snprintf(sql, size, "DO $$ BEGIN RAISE EXCEPTION 'torture' USING ERRCODE = '%s'; END $$",
             codes[torture_table->how % (int)(sizeof codes / sizeof codes[0])]);
    return true;
}

int PQsendQueryPrepared(PGconn *conn, const char *name, int n, const char *const *values, const int *lengths,
                        const int *formats, int format)
{
    char sql[200];
    if (refuses(sql, sizeof sql))
        return PQsendQueryParams(conn, sql, 0, NULL, NULL, NULL, NULL, format);
    return TORTURE_REAL(PQsendQueryPrepared)(conn, name, n, values, lengths, formats, format);
}

int PQsendPrepare(PGconn *conn, const char *name, const char *text, int n, const Oid *types)
{
    char sql[200];
    if (refuses(sql, sizeof sql))
        return PQsendQueryParams(conn, sql, 0, NULL, NULL, NULL, NULL, 0);
    return TORTURE_REAL(PQsendPrepare)(conn, name, text, n, types);
}

int PQsendQuery(PGconn *conn, const char *text)
{
    char sql[200];
    return TORTURE_REAL(PQsendQuery)(conn, refuses(sql, sizeof sql) ? sql : text);
}

/* --- the broker */
enum { GONE, UNKNOWN, UNROUTABLE, WAYS };

static int way_of(enum torture_class class)
{
    return torture_fails(class, 0) ? torture_table->how % WAYS : -1;
}

static int hang_up(amqp_connection_state_t connection)
{
    shutdown(amqp_get_sockfd(connection), SHUT_RDWR);
    return AMQP_STATUS_SOCKET_ERROR;
}

int amqp_basic_publish(amqp_connection_state_t connection, amqp_channel_t channel, amqp_bytes_t exchange,
                       amqp_bytes_t key, amqp_boolean_t mandatory, amqp_boolean_t immediate,
                       const amqp_basic_properties_t *properties, amqp_bytes_t body)
{
    switch (way_of(TORTURE_PUBLISH)) {
    case GONE:
        return hang_up(connection);
    case UNKNOWN: /* the broker closes the channel */
        exchange = amqp_cstring_bytes("torture.nowhere");
        break;
    case UNROUTABLE: /* the broker returns the message and confirms it */
        exchange = (amqp_bytes_t){0, NULL};
        key = amqp_cstring_bytes("torture.nowhere");
        break;
    default:
        break;
    }
    return TORTURE_REAL(amqp_basic_publish)(connection, channel, exchange, key, mandatory, immediate,
                                            properties, body);
}

int amqp_basic_ack(amqp_connection_state_t connection, amqp_channel_t channel, uint64_t tag,
                   amqp_boolean_t multiple)
{
    int way = way_of(TORTURE_ACK);
    if (way == GONE)
        return hang_up(connection);
    return TORTURE_REAL(amqp_basic_ack)(connection, channel, way < 0 ? tag : UINT64_MAX / 2, multiple);
}

int amqp_basic_nack(amqp_connection_state_t connection, amqp_channel_t channel, uint64_t tag,
                    amqp_boolean_t multiple, amqp_boolean_t requeue)
{
    int way = way_of(TORTURE_ACK);
    if (way == GONE)
        return hang_up(connection);
    return TORTURE_REAL(amqp_basic_nack)(connection, channel, way < 0 ? tag : UINT64_MAX / 2, multiple,
                                         requeue);
}

int amqp_simple_wait_frame_noblock(amqp_connection_state_t connection, amqp_frame_t *frame,
                                   const struct timeval *limit)
{
    static amqp_basic_nack_t nack;
    int status = TORTURE_REAL(amqp_simple_wait_frame_noblock)(connection, frame, limit);
    if (status == AMQP_STATUS_OK && frame->frame_type == AMQP_FRAME_METHOD &&
        frame->payload.method.id == AMQP_BASIC_ACK_METHOD && way_of(TORTURE_CONFIRM) >= 0) {
        const amqp_basic_ack_t *ack = frame->payload.method.decoded;
        nack = (amqp_basic_nack_t){ack->delivery_tag, ack->multiple, 0};
        frame->payload.method.id = AMQP_BASIC_NACK_METHOD;
        frame->payload.method.decoded = &nack;
    }
    return status;
}
