#ifndef NOTIFY_BROKER_TLS_H
#define NOTIFY_BROKER_TLS_H

#include <amqp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/conf.h"
#include "common/base/conf_read.h"

/* TLS to the broker: amqps://, the settings broker.ca_file, broker.cert_file and broker.key_file. */

/* With whom we speak, once it is open. */
struct broker_tls_peer {
    char version[16];    /* as TLSv1.3 */
    int64_t until_s;     /* Unix time at which the broker's certificate ends */
    int64_t own_until_s; /* the same of ours; 0: we have none */
};

struct broker_tls_failure {
    char why[400];      /* one line without a full stop; may quote what the broker's certificate says */
    const char *advice; /* what to do, to follow a semicolon; static text */
    bool lasting;       /* a matter of certificates and settings, which waiting does not cure */
};

/*
 * Open TLS, on CONNECTION, with the broker to whose address FD is connected; FD is closed. HOST is the name, or the
 * address, that its certificate must be for. Takes SECONDS at most, during which it blocks; looks no name up. False: no
 * socket is open, and FAILURE says why.
 */
bool broker_tls_open(amqp_connection_state_t connection, const struct conf *conf, const char *host, int fd,
                     int seconds, struct broker_tls_peer *peer, struct broker_tls_failure *failure);

/*
 * Why a call of librabbitmq failed on an open connection (AMQP_STATUS_SSL_ERROR), as OpenSSL noted it: with TLS 1.3 the
 * broker refuses our certificate only after the handshake. To be asked at once. False: it noted nothing, as when the
 * connection is reset.
 */
bool broker_tls_explain(const struct conf *conf, struct broker_tls_failure *failure);

/*
 * What to do about a login that failed with STATUS because one side speaks TLS and the other does not, or because a
 * certificate is missed; static text. NULL: the broker has spoken AMQP, or there is nothing to say.
 */
const char *broker_tls_hint(amqp_connection_state_t connection, const struct conf *conf, bool tls,
                            int status);

/* What BYTES of AMQP are as TLS records, at most. */
size_t broker_tls_size(size_t bytes);

/* Whole days until UNTIL_S; negative when it is past. */
int64_t broker_tls_days_left(int64_t until_s);

/* Whether the files of the settings can be used. False with the ROW whose file cannot, and WHY, to follow its name. */
bool broker_tls_check_files(const struct conf *conf, enum conf_row_id *row, char *why, size_t size);

#endif
