/*
 * broker_tls - TLS to the broker
 *
 * Owns nothing: the context and the session belong to librabbitmq's connection. The library takes no connected socket
 * for TLS, it opens one itself, waiting, and would look the name up. So the caller connects first, on its loop, and we
 * have the library open the address that answered. That leaves three things to us, which the library would do by the
 * address: the name that is asked for (SNI), that the certificate is for that name, and to say what is wrong.
 *
 * The peer is always verified, by OpenSSL itself and inside the handshake: nothing is sent to a broker that is not the
 * one that was meant. There is no setting that turns it off: who has no authority names the broker's own certificate
 * in broker.ca_file.
 *
 * The files are read at every connection, so a renewed certificate is used without a restart.
 *
 * Calls of the library leave their errors in OpenSSL's queue of the thread; it is emptied by each of its calls.
 */
#include "common/broker_tls.h"

#include <amqp_ssl_socket.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/broker_tls_words.h"

/* One handshake, as OpenSSL's callbacks see it. */
struct handshake {
    const char *host;
    bool is_address;
    struct broker_tls_peer *peer;
    struct broker_tls_failure *failure;
};

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* Asked for a password: a key that has one cannot be used, and OpenSSL's own way is to ask the terminal. */
static int refuse_password(char *buf, int size, int writing, void *asked)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static bool refuse_file(enum conf_row_id *row, enum conf_row_id which, char *why, size_t size,
                        const char *words)
{
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error)) : NULL;
    *row = which;
    snprintf(why, size, "%s%s%s", words, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return false;
}

/* Give the context what the settings name. False with the row that is wrong, and why. */
static bool read_files(SSL_CTX *context, const struct conf *conf, enum conf_row_id *row, char *why,
                       size_t size)
{
    bool has_password = false;
    ERR_clear_error();
    if (conf->broker_ca_file[0] ? SSL_CTX_load_verify_file(context, conf->broker_ca_file) != 1
                                : SSL_CTX_set_default_verify_paths(context) != 1)
        return refuse_file(row, CONF_ROW_broker_ca_file, why, size,
                           "cannot be read as certificates in PEM form");
    if (!conf->broker_cert_file[0])
        return true;
    if (SSL_CTX_use_certificate_chain_file(context, conf->broker_cert_file) != 1)
        return refuse_file(row, CONF_ROW_broker_cert_file, why, size,
                           "cannot be read as a certificate in PEM form");
    SSL_CTX_set_default_passwd_cb(context, refuse_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, &has_password);
    int good = SSL_CTX_use_PrivateKey_file(context, conf->broker_key_file, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    if (good != 1 && ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH)
        return refuse_file(row, CONF_ROW_broker_key_file, why, size,
                           "is not the key of the certificate in broker.cert_file");
    if (good != 1)
        return refuse_file(row, CONF_ROW_broker_key_file, why, size,
                           has_password ? "has a password, for which nobody can be asked; store it without "
                                          "(openssl pkey), readable by notifyd only"
                                        : "cannot be read as a key in PEM form");
    return true;
}

/* False: the handshake ends there. Only the first thing that is wrong is told. */
static int on_certificate(int good, X509_STORE_CTX *store)
{
    const SSL *session = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct handshake *h = SSL_CTX_get_app_data(SSL_get_SSL_CTX(session));
    if (!good && h && !h->failure->why[0])
        broker_tls_say_certificate(h->failure, X509_STORE_CTX_get_current_cert(store),
                                   X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_error_depth(store),
                                   h->host);
    return good;
}

/* RFC 6066 section 3: an address is no name to ask for, and the address is what the library has asked for. */
static void on_progress(const SSL *session, int where, int unused)
{
    struct handshake *h = SSL_CTX_get_app_data(SSL_get_SSL_CTX(session));
    (void)unused;
    if (!h)
        return; /* after the handshake */
    if (where & SSL_CB_HANDSHAKE_START)
        SSL_set_tlsext_host_name((SSL *)session, h->is_address ? NULL : (char *)h->host);
    if (where & SSL_CB_HANDSHAKE_DONE) {
        snprintf(h->peer->version, sizeof h->peer->version, "%s", SSL_get_version(session));
        h->peer->until_s = broker_tls_time(X509_get0_notAfter(SSL_get0_peer_certificate(session)));
        h->peer->own_until_s = 0;
        if (SSL_get_certificate(session))
            h->peer->own_until_s = broker_tls_time(X509_get0_notAfter(SSL_get_certificate(session)));
    }
}

static void demand_identity(SSL_CTX *context, struct handshake *h)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    mem_check((h->is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, h->host)
                             : X509_VERIFY_PARAM_set1_host(param, h->host, 0)) == 1);
    /* What broker.ca_file holds is trusted, be it the broker's certificate itself or an authority between. */
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_certificate);
    SSL_CTX_set_app_data(context, h);
    SSL_CTX_set_info_callback(context, on_progress);
}

/* The address at the other end, as text without a name. */
static bool read_address(int fd, char out[NI_MAXHOST], int *port)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    char service[NI_MAXSERV];
    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 ||
        getnameinfo((struct sockaddr *)&peer, size, out, NI_MAXHOST, service, sizeof service,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    *port = atoi(service);
    return true;
}

static bool fail(struct broker_tls_failure *f, const char *advice, bool lasting)
{
    f->advice = advice;
    f->lasting = lasting;
    return false;
}

static bool say_status(const struct conf *conf, struct broker_tls_failure *f, int status)
{
    if (status == AMQP_STATUS_SSL_CONNECTION_FAILED && (f->why[0] || broker_tls_explain(conf, f)))
        return false;
    if (status == AMQP_STATUS_TIMEOUT) {
        snprintf(f->why, sizeof f->why, "the broker did not finish the TLS handshake in time");
        return fail(f, "is the port right, and the broker in order?", false);
    }
    snprintf(f->why, sizeof f->why, "TLS handshake: %s", amqp_error_string2(status));
    return fail(f, "the broker's log may say why", false);
}

static bool prepare(SSL_CTX *context, const struct conf *conf, struct broker_tls_failure *f)
{
    enum conf_row_id row;
    char why[256];
    check(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    if (read_files(context, conf, &row, why, sizeof why))
        return true;
    snprintf(f->why, sizeof f->why, "%s %s", conf_rows[row].path, why);
    return fail(f, "put that file in order; it is read again at each connection", true);
}

bool broker_tls_open(amqp_connection_state_t connection, const struct conf *conf, const char *host, int fd,
                     int seconds, struct broker_tls_peer *peer, struct broker_tls_failure *failure)
{
    struct handshake h = {.host = host, .is_address = is_address(host), .peer = peer, .failure = failure};
    struct timeval limit = {seconds, 0};
    char address[NI_MAXHOST];
    int port;
    memset(peer, 0, sizeof *peer);
    memset(failure, 0, sizeof *failure);
    amqp_socket_t *socket = amqp_ssl_socket_new(connection);
    mem_check(socket != NULL);
    bool connected = read_address(fd, address, &port);
    close(fd);
    if (!connected) {
        snprintf(failure->why, sizeof failure->why, "the broker closed the connection");
        return fail(failure, "is it in order?", false);
    }
    SSL_CTX *context = amqp_ssl_socket_get_context(socket);
    if (!prepare(context, conf, failure))
        return false;
    demand_identity(context, &h);
    amqp_ssl_socket_set_verify_hostname(socket, 0); /* it would want the address in the certificate */
    int status = amqp_socket_open_noblock(socket, address, port, &limit);
    SSL_CTX_set_app_data(context, NULL); /* the handshake is over, and h goes */
    return status == AMQP_STATUS_OK || say_status(conf, failure, status);
}

bool broker_tls_explain(const struct conf *conf, struct broker_tls_failure *failure)
{
    unsigned long error = ERR_peek_error();
    ERR_clear_error();
    if (!error)
        return false;
    broker_tls_say_error(failure, error, conf->broker_cert_file[0] != '\0');
    return true;
}

const char *broker_tls_hint(amqp_connection_state_t connection, const struct conf *conf, bool tls, int status)
{
    bool gone = status == AMQP_STATUS_CONNECTION_CLOSED || status == AMQP_STATUS_SOCKET_ERROR ||
                status == AMQP_STATUS_SSL_ERROR || status == AMQP_STATUS_BAD_AMQP_DATA;
    if (!gone || amqp_get_server_properties(connection)->num_entries)
        return NULL;
    if (!tls)
        return "it did not speak AMQP; if that is its port for TLS, write amqps:// in broker.url";
    return conf->broker_cert_file[0]
               ? "it may have refused our certificate (broker.cert_file); its log says why"
               : "it may demand a certificate of its clients (broker.cert_file)";
}

/*
 * A record holds 16 KiB at most and a frame begins one of its own; what it adds is 22 bytes with TLS 1.3 and 85 with
 * the worst cipher of TLS 1.2 (RFC 5246 section 6.2.3). An eighth covers frames of 680 bytes and more, the rest
 * those few small ones that a message or an acknowledgement consists of.
 */
size_t broker_tls_size(size_t bytes)
{
    return bytes + bytes / 8 + 512;
}

int64_t broker_tls_days_left(int64_t until_s)
{
    int64_t left_s = until_s - clock_wall_us() / 1000000;
    return left_s >= 0 ? left_s / 86400 : -1 - (-left_s - 1) / 86400;
}

bool broker_tls_check_files(const struct conf *conf, enum conf_row_id *row, char *why, size_t size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    mem_check(context != NULL);
    bool good = read_files(context, conf, row, why, size);
    SSL_CTX_free(context);
    return good;
}
