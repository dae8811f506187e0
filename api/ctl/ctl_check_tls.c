/*
 * ctl_check_tls - what notifyctl check says of the ways to the servers: who can listen there, and who answers
 *
 * Looks at connections that are open; a connection that TLS keeps from coming up is told of by those who open it.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "api/ctl/ctl_report.h"

/* Does the connection stay within this host? */
static bool is_local(int fd)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
        return false;
    if (peer.ss_family == AF_INET) /* 127.0.0.0/8 */
        return ntohl(((const struct sockaddr_in *)(const void *)&peer)->sin_addr.s_addr) >> 24 == 127;
    if (peer.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)&peer)->sin6_addr);
    return peer.ss_family == AF_UNIX;
}

static void report_clear(struct report *report, const char *subject, int fd, const char *advice)
{
    if (is_local(fd))
        report_ok(report, subject, "none, and the way does not leave this host");
    else
        report_note(report, subject, "none: all travels in clear, the password as well; %s", advice);
}

static void report_end_of(struct report *report, const struct conf *conf, const char *whose, int64_t until_s)
{
    long long days = broker_tls_days_left(until_s);
    if (until_s && days < conf->broker_cert_days)
        report_note(report, "broker TLS", "%s certificate ends in %lld days; renew it", whose, days);
}

void check_broker_tls(struct report *report, const struct broker *broker, const struct conf *conf)
{
    if (!broker->tls) {
        report_clear(report, "broker TLS", amqp_get_sockfd(broker->link), "write amqps:// in broker.url");
        return;
    }
    report_ok(report, "broker TLS", "%s, the broker's certificate is good for %lld days",
              broker->peer.version, (long long)broker_tls_days_left(broker->peer.until_s));
    report_end_of(report, conf, "the broker's", broker->peer.until_s);
    report_end_of(report, conf, "our", broker->peer.own_until_s);
}

static const char *option(const PQconninfoOption *options, const char *keyword)
{
    for (; options && options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0 && options->val)
            return options->val;
    return "";
}

void check_database_tls(struct report *report, const struct db *db)
{
    static const char advice[] = "write sslmode=verify-full and sslrootcert in database.url";
    if (!PQsslInUse(db->link)) {
        report_clear(report, "database TLS", PQsocket(db->link), advice);
        return;
    }
    const char *version = PQsslAttribute(db->link, "protocol");
    PQconninfoOption *options = PQconninfo(db->link);
    const char *mode = option(options, "sslmode");
    if (strcmp(mode, "verify-full") == 0)
        report_ok(report, "database TLS", "%s, the server's certificate is verified", version);
    else if (is_local(PQsocket(db->link)))
        report_ok(report, "database TLS", "%s, sslmode=%s, and the way does not leave this host", version,
                  mode);
    else
        report_note(report, "database TLS", "%s, but with sslmode=%s nobody looks who it is that answers; %s",
                    version, mode, advice);
    PQconninfoFree(options);
}
