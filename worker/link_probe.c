/*
 * link_probe - the first words to a broker, and whether anything comes back
 *
 * Owns the socket, one event on it, and nothing when it is done. What comes back is not read: the real connection will
 * judge it. A server that closes has answered, too: that it refuses us costs no time.
 */
#include "worker/link_probe.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"

enum { WORDS_MAX = 2048 };

struct link_probe {
    int fd;
    struct event *event;
    void (*done)(void *owner, bool answers);
    void *owner;
};

/* AMQP 0-9-1, section 4.2.2. */
static const char amqp_words[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};

/* What a TLS client begins with, of a session that nobody goes on with; 0 when there is none. */
static size_t tls_words(const char *host, char words[WORDS_MAX])
{
    size_t size = 0;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *tls = context ? SSL_new(context) : NULL;
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (tls && in && out) {
        SSL_set_bio(tls, in, out); /* owned by it from here on */
        SSL_set_connect_state(tls);
        SSL_set_tlsext_host_name(tls, host);
        SSL_do_handshake(tls); /* wants to read, having written */
        int n = BIO_read(out, words, WORDS_MAX);
        size = n > 0 ? (size_t)n : 0;
        in = out = NULL;
    }
    BIO_free(in);
    BIO_free(out);
    SSL_free(tls);
    SSL_CTX_free(context);
    ERR_clear_error();
    return size;
}

/* A new socket has room for so little: what did not go is not sent again, and then no answer comes. */
static void say(int fd, const char *host)
{
    char words[WORDS_MAX];
    size_t size = sizeof amqp_words;
    memcpy(words, amqp_words, sizeof amqp_words);
    if (host)
        size = tls_words(host, words);
    if (send(fd, words, size, MSG_NOSIGNAL) < 0)
        return; /* the event on the socket tells */
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct link_probe *p = arg;
    void (*done)(void *owner, bool answers) = p->done;
    void *owner = p->owner;
    (void)fd;
    link_probe_cancel(p);
    done(owner, !(what & EV_TIMEOUT));
}

struct link_probe *link_probe_start(struct event_base *base, int fd, const char *host, int seconds,
                                    void (*done)(void *owner, bool answers), void *owner)
{
    struct link_probe *p = mem_zalloc(sizeof *p);
    p->fd = fd;
    p->done = done;
    p->owner = owner;
    say(fd, host);
    p->event = event_new(base, fd, EV_READ, on_event, p);
    mem_check(p->event != NULL);
    if (event_add(p->event, &(struct timeval){seconds, 0}) != 0)
        event_active(p->event, EV_TIMEOUT, 1); /* the kernel watches no more sockets */
    return p;
}

void link_probe_cancel(struct link_probe *p)
{
    if (!p)
        return;
    event_free(p->event);
    close(p->fd);
    free(p);
}
