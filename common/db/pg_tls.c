/*
 * pg_tls - what libpq leaves to us when it speaks TLS
 *
 * Owns nothing. libpq has no codes for these failures, only its words, which are in English because no program of ours
 * sets a locale. They are those of libpq 15 (fe-secure-openssl.c, fe-connect.c) and of the server's auth.c.
 */
#include "common/db/pg_tls.h"

#include <openssl/ssl.h>
#include <string.h>

bool pg_tls_consume(PGconn *conn)
{
    int before;
    SSL *session = PQsslInUse(conn) ? PQsslStruct(conn, "OpenSSL") : NULL;
    if (!PQconsumeInput(conn))
        return false;
    /* A round that takes nothing ends it: the buffer is full of what has to be read first. */
    while (session && PQstatus(conn) == CONNECTION_OK && (before = SSL_pending(session)) > 0) {
        if (!PQconsumeInput(conn))
            return false;
        if (SSL_pending(session) >= before)
            break;
    }
    return true;
}

const char *pg_tls_advice(const char *words)
{
    static const struct {
        const char *words, *advice;
    } table[] = {
        {"certificate verify failed",
         "name the PEM file of its authority as sslrootcert in database.url; if it is that one, the server's "
         "certificate has expired or lacks those between"},
        {"does not match host name", "write the name that the certificate is for as host in database.url"},
        {"could not be matched with host name",
         "write the name that the certificate is for as host in database.url"},
        {"server does not support SSL",
         "turn it on at the server (ssl = on); without it anybody between can read and change all"},
        {"root certificate file",
         "name the PEM file of the server's authority as sslrootcert in database.url"},
        {"certificate required", "name our certificate and key as sslcert and sslkey in database.url"},
        {"requires a valid client certificate",
         "name our certificate and key as sslcert and sslkey in database.url"},
        {"no encryption",
         "the server takes connections over TLS only; write sslmode=verify-full in database.url"},
        {"channel binding", "it needs TLS and a password of the kind scram-sha-256 at the server"},
        {"private key file", "sslkey in database.url must be the key of sslcert and nobody else's to read"},
        {"certificate file", "sslcert in database.url must be a certificate in PEM form that we may read"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strstr(words, table[i].words))
            return table[i].advice;
    return NULL;
}
