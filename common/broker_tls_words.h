#ifndef NOTIFY_BROKER_TLS_WORDS_H
#define NOTIFY_BROKER_TLS_WORDS_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "common/broker_tls.h"

/* What OpenSSL found wrong, as words for the operator. Pure, but for the time of day. */

/* The broker's certificate (or one above it, at DEPTH > 0) was refused with ERROR, an X509_V_ERR_ number. */
void broker_tls_say_certificate(struct broker_tls_failure *failure, X509 *certificate, int error, int depth,
                                const char *host);
/* An entry of OpenSSL's queue of errors. HAS_CERTIFICATE: we have one to show. */
void broker_tls_say_error(struct broker_tls_failure *failure, unsigned long error, bool has_certificate);
/* Unix time; 0 when WHEN cannot be read. */
int64_t broker_tls_time(const ASN1_TIME *when);

#endif
