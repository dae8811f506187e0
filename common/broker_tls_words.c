/*
 * broker_tls_words - what is wrong with TLS to the broker, and what to do about it
 *
 * Two tables: the reasons for which OpenSSL refuses a certificate (X509_V_ERR_*), and those for which a handshake ends
 * otherwise, the broker's alerts (RFC 8446 section 6) among them. What a certificate says of itself is untrusted text:
 * it is cut, and only printable characters of it are kept.
 */
#include "common/broker_tls_words.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/buf.h"

enum { NAMES_MAX = 160, ISSUER_MAX = 120 }; /* bytes of what is quoted; a line stays a line */

static void add_printable(struct buf *out, const unsigned char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%c", text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?');
}

static void add_name(struct buf *out, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN] = "";
    bool is_address = name->type == GEN_IPADD;
    const ASN1_STRING *s = is_address ? name->d.iPAddress : name->d.dNSName;
    const unsigned char *data = ASN1_STRING_get0_data(s);
    int n = ASN1_STRING_length(s);
    if (is_address && (n == 4 || n == 16) && !inet_ntop(n == 4 ? AF_INET : AF_INET6, data, text, sizeof text))
        return;
    if (out->len)
        buf_add_text(out, ", ");
    if (is_address)
        buf_add_text(out, text);
    else
        add_printable(out, data, (size_t)n);
}

/* The names and addresses that the certificate is for; "" when it says none. */
static void list_names(X509 *certificate, char out[NAMES_MAX])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    struct buf text;
    buf_init(&text, NAMES_MAX);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names) && text.len < NAMES_MAX / 2; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS || name->type == GEN_IPADD)
            add_name(&text, name);
    }
    GENERAL_NAMES_free(names);
    snprintf(out, NAMES_MAX, "%s", text.len ? buf_text(&text) : "");
    buf_free(&text);
}

static void name_issuer(X509 *certificate, char out[ISSUER_MAX])
{
    char text[ISSUER_MAX];
    struct buf printable;
    X509_NAME_oneline(X509_get_issuer_name(certificate), text, sizeof text);
    buf_init(&printable, ISSUER_MAX);
    add_printable(&printable, (const unsigned char *)text, strlen(text));
    snprintf(out, ISSUER_MAX, "%s", buf_text(&printable));
    buf_free(&printable);
}

int64_t broker_tls_time(const ASN1_TIME *when)
{
    struct tm tm;
    return when && ASN1_TIME_to_tm(when, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void format_date(const ASN1_TIME *when, char out[32])
{
    time_t seconds = (time_t)broker_tls_time(when);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm);
}

static void say_wrong_name(struct broker_tls_failure *f, X509 *certificate, const char *host)
{
    char names[NAMES_MAX];
    list_names(certificate, names);
    snprintf(f->why, sizeof f->why, "the broker's certificate is not for %.100s but for %s", host,
             names[0] ? names : "no name at all");
    f->advice = "write the name that it is for in broker.url and broker.hosts, or give the broker a "
                "certificate with that name";
}

static void say_unknown_issuer(struct broker_tls_failure *f, X509 *certificate)
{
    char issuer[ISSUER_MAX];
    name_issuer(certificate, issuer);
    snprintf(f->why, sizeof f->why, "the broker's certificate is of an issuer that is not trusted: %s",
             issuer);
    f->advice = "name the PEM file of its authority in broker.ca_file; if it is that one, the broker has to "
                "send the certificates between, too";
}

static void say_time(struct broker_tls_failure *f, X509 *certificate, int depth, bool expired)
{
    char date[32];
    format_date(expired ? X509_get0_notAfter(certificate) : X509_get0_notBefore(certificate), date);
    snprintf(f->why, sizeof f->why, "%s %s %s",
             depth == 0 ? "the broker's certificate" : "a certificate above the broker's",
             expired ? "expired on" : "is not valid before", date);
    f->advice = expired ? "renew it, and see that the clocks of both hosts are right"
                        : "see that the clocks of both hosts are right";
}

void broker_tls_say_certificate(struct broker_tls_failure *f, X509 *certificate, int error, int depth,
                                const char *host)
{
    f->lasting = true;
    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        say_wrong_name(f, certificate, host);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        say_unknown_issuer(f, certificate);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        say_time(f, certificate, depth, true);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        say_time(f, certificate, depth, false);
        break;
    default:
        snprintf(f->why, sizeof f->why, "the broker's certificate is refused: %s",
                 X509_verify_cert_error_string(error));
        f->advice = "give the broker another certificate";
    }
}

/* What the other side says or does in a handshake. */
static const struct {
    int reason;
    const char *why;
    const char *advice;
} reasons[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "the broker speaks no TLS on that port",
     "write the port of its TLS listener in broker.url and broker.hosts (as a rule 5671), or amqp:// where "
     "nobody "
     "else can listen"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, "the broker closed the connection",
     "if it does so at each attempt, the broker's log says why: has its TLS listener a certificate and a "
     "key?"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the broker speaks no TLS 1.2 and none newer",
     "let it speak TLS 1.2 or 1.3 (ssl_options.versions)"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the broker speaks no TLS 1.2 and none newer",
     "let it speak TLS 1.2 or 1.3 (ssl_options.versions)"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the broker does not know the authority of our certificate",
     "have broker.cert_file made by an authority of its ssl_options.cacertfile, or add ours to that file; "
     "certificates between belong into broker.cert_file, too"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "our certificate has expired", "renew broker.cert_file"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "our certificate is revoked", "renew broker.cert_file"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the broker refuses our certificate",
     "its log says why; renew broker.cert_file"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the broker refuses our certificate",
     "its log says why; renew broker.cert_file"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "the broker refuses our certificate",
     "is it one for clients (extended key usage clientAuth)? Renew broker.cert_file"},
    {SSL_R_TLSV1_UNRECOGNIZED_NAME, "the broker does not know itself by the name that we call it",
     "write the name that its certificate is for in broker.url and broker.hosts"},
};

static const char demand[] = "the broker demands a certificate of its clients";
static const char give_one[] = "set broker.cert_file and broker.key_file";

void broker_tls_say_error(struct broker_tls_failure *f, unsigned long error, bool has_certificate)
{
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    f->lasting = reason != SSL_R_UNEXPECTED_EOF_WHILE_READING;
    bool demands = reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED;
    /* What servers say before TLS 1.3 when they miss a certificate, and when no cipher suits both. */
    bool may_demand = reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE;
    if ((demands || may_demand) && !has_certificate) {
        snprintf(f->why, sizeof f->why, "%s%s", demand, demands ? "" : ", or no cipher suits both");
        f->advice = give_one;
        return;
    }
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].reason == reason) {
            snprintf(f->why, sizeof f->why, "%s", reasons[i].why);
            f->advice = reasons[i].advice;
            return;
        }
    const char *words = ERR_reason_error_string(error);
    snprintf(f->why, sizeof f->why, "TLS: %s", words ? words : "an error without a name");
    f->advice = "the broker's log may say more";
}
