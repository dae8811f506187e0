/*
 * unit_conf - the configuration: defaults, reading, every error, secrets
 *
 * Texts go through conf_load_text; what needs files or the environment is made in a folder of its own.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/conf_read.h"
#include "tests/unit/unit.h"

#define URLS     "broker = { url = \"amqp://u:p@h/%2F\"; }; database = { url = \"postgresql://d\"; };"
#define GOOD_KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="

static struct conf_errors errors;

static struct conf *load(const char *text)
{
    return conf_load_text("notify.conf", text, strlen(text), &errors);
}

static void end(struct conf *conf)
{
    conf_free(conf);
    conf_errors_free(&errors);
}

/* The only error of TEXT, which must have exactly one. */
static const char *only_error(const char *text)
{
    struct conf *conf = load(text);
    EXPECT(conf == NULL);
    EXPECT_INT(errors.list.count, 1);
    return errors.list.items[0];
}

/* TEXT, behind good URLs, has exactly one error, and it is WANTED. */
static void expect_error(const char *text, const char *wanted)
{
    char all[2048];
    snprintf(all, sizeof all, "%s\n%s", URLS, text);
    EXPECT_TEXT(only_error(all), wanted);
    end(NULL);
}

static bool has_error(const char *part)
{
    for (size_t i = 0; i < errors.list.count; i++)
        if (strstr(errors.list.items[i], part))
            return true;
    return false;
}

/* The only error of TEXT names SETTING and says WHY. */
static void expect_url_error(const char *text, const char *setting, const char *why)
{
    const char *error = only_error(text);
    if (!strstr(error, setting) || !strstr(error, why))
        unit_fail(__FILE__, __LINE__, "%s has error %s", text, error);
    end(NULL);
}

/* --- reading */

static void defaults_are_those_of_the_table(void)
{
    struct conf *conf = load(URLS);
    EXPECT(conf != NULL);
    EXPECT_INT(conf->workers, 0);
    EXPECT_INT(conf->broker_prefetch, 256);
    EXPECT(conf->delivery_timeout == 15);
    EXPECT(!conf->delivery_allow_http);
    EXPECT_INT(conf->broker_queues.count, 1);
    EXPECT_TEXT(conf->broker_queues.items[0], "notify");
    EXPECT_INT(conf->delivery_allow_networks.count, 0);
    EXPECT_INT(conf->retry_not_found.count, 3);
    EXPECT(conf->retry_not_found.items[2] == 15);
    EXPECT_TEXT(conf->log_level, "info");
    EXPECT_TEXT(conf->delivery_ca_file, "");
    end(conf);
}

static void every_kind_of_value_is_read(void)
{
    struct conf *conf =
        load(URLS "workers = 3; shutdown_grace = 40.5; delivery = { allow_http = true; connect_timeout = 2;"
                  " allow_networks = [\"10.0.0.0/8\", \"::1\"]; }; log: { level: \"debug\" };"
                  "retry = { not_found = (1, 2.5); max_attempts = 0x10; jitter = 0.0; };"
                  "secrets = { fernet_keys = [\"" GOOD_KEY "\"]; };");
    EXPECT(conf != NULL);
    EXPECT_INT(conf->workers, 3);
    EXPECT(conf->shutdown_grace == 40.5);
    EXPECT(conf->delivery_allow_http);
    EXPECT(conf->delivery_connect_timeout == 2);
    EXPECT_INT(conf->delivery_allow_networks.count, 2);
    EXPECT_TEXT(conf->delivery_allow_networks.items[1], "::1");
    EXPECT_TEXT(conf->log_level, "debug");
    EXPECT_INT(conf->retry_not_found.count, 2);
    EXPECT(conf->retry_not_found.items[1] == 2.5);
    EXPECT_INT(conf->retry_max_attempts, 16);
    EXPECT(conf->retry_jitter == 0);
    EXPECT_TEXT(conf->secrets_fernet_keys.items[0], GOOD_KEY);
    end(conf);
}

static void wrong_types_are_refused_by_name_and_line(void)
{
    expect_error("workers = \"3\";",
                 "notify.conf:2: workers: must be a whole number, written without quotes");
    expect_error("\nworkers = 2.0;",
                 "notify.conf:3: workers: must be a whole number, written without quotes");
    expect_error("watchdog = true;", "notify.conf:2: watchdog: must be a number, written without quotes");
    expect_error("delivery = { allow_http = 1; };",
                 "notify.conf:2: delivery.allow_http: must be true or false, without quotes");
    expect_error("delivery = { ca_file = 5; };",
                 "notify.conf:2: delivery.ca_file: must be a text in double quotes");
    expect_error("delivery = { allow_networks = \"::1\"; };",
                 "notify.conf:2: delivery.allow_networks: must be a list of texts: [\"one\", \"two\"]");
    expect_error("delivery = { allow_networks = (\"::1\", 5); };",
                 "notify.conf:2: delivery.allow_networks: item 2 must be a text in double quotes");
    expect_error("retry = { not_found = 1; };",
                 "notify.conf:2: retry.not_found: must be a list of numbers: [1, 2, 3]");
    expect_error("retry = { not_found = (1, \"2\"); };",
                 "notify.conf:2: retry.not_found: item 2 must be a number");
    expect_error("log = 5;", "notify.conf:2: log: is a group; write log = { ... };");
    expect_error("log = { level = \"loud\"; };",
                 "notify.conf:2: log.level: must be one of: debug|info|warn|error");
    expect_error("log = { level = \"debug|info\"; };",
                 "notify.conf:2: log.level: must be one of: debug|info|warn|error");
    expect_error("log = { level = \"\"; };",
                 "notify.conf:2: log.level: must be one of: debug|info|warn|error");
}

static void values_out_of_range_are_refused(void)
{
    expect_error("workers = 257;", "notify.conf:2: workers: 257 is out of range; give 0 to 256");
    expect_error("workers = -1;", "notify.conf:2: workers: -1 is out of range; give 0 to 256");
    expect_error("retry = { jitter = 1.01; };",
                 "notify.conf:2: retry.jitter: 1.01 is out of range; give 0 to 1");
    expect_error("retry = { jitter = 1e999; };",
                 "notify.conf:2: retry.jitter: inf is out of range; give 0 to 1");
    expect_error("retry = { not_found = [1, 5000]; };",
                 "notify.conf:2: retry.not_found: 5000 is out of range; give 0.1 to 3600");
}

/* libconfig keeps 32 bits of such a number and says nothing: 4294967298 would be 2 workers. */
static void numbers_beyond_32_bits_are_seen_as_they_are(void)
{
    expect_error("workers = 4294967298;",
                 "notify.conf:2: workers: 4294967298 is out of range; give 0 to 256");
    expect_error("workers = -4294967294;",
                 "notify.conf:2: workers: -4294967294 is out of range; give 0 to 256");
    expect_error("workers = 0x100000002;",
                 "notify.conf:2: workers: 4294967298 is out of range; give 0 to 256");
    expect_error("workers = 4294967298L;",
                 "notify.conf:2: workers: 4294967298 is out of range; give 0 to 256");
    expect_error("workers = 99999999999999999999;",
                 "notify.conf:2: workers: 9.22337203685478e+18 is out of range; give 0 to 256");
    expect_error("watchdog = 4294967299;",
                 "notify.conf:2: watchdog: 4294967299 is out of range; give 5 to 600");
}

static void long_digits_in_texts_and_comments_stay_as_they_are(void)
{
    struct conf *conf = load(URLS "# 12345678901234\n// 12345678901234\n/* 12345678901234 */\n"
                                  "database: { role = \"r\\\"12345678901234\"; };");
    EXPECT(conf == NULL); /* database stands there twice, which shows that the rest was read */
    EXPECT(has_error("notify.conf:4: duplicate setting name"));
    end(NULL);
    conf = load("broker = { url = \"amqp://12345678901234:p@h\"; };\n"
                "database = { url = \"postgresql://d\"; role = \"r\\\"12345678901234\"; };");
    EXPECT(conf != NULL);
    EXPECT_TEXT(conf->database_role, "r\"12345678901234");
    EXPECT_TEXT(conf->broker_url, "amqp://12345678901234:p@h");
    end(conf);
}

static void every_queue_has_a_share_of_the_prefetch(void)
{
    EXPECT_TEXT(only_error("broker = { url = \"amqp://u:p@h/%2F\"; prefetch = 4; queues = [\"a\", \"b\"]; };"
                           "database = { url = \"postgresql://d\"; };"),
                "notify.conf:1: broker.prefetch: is less than one for each queue: set at least 5 "
                "(broker.queues and 3 more)");
    end(NULL);
}

static void unknown_settings_are_refused_with_a_hint(void)
{
    expect_error("wrokers = 3;", "notify.conf:2: wrokers: is not a setting; did you mean workers; notifyd "
                                 "--help-config lists them all");
    expect_error("delivery = { timeuot = 3; };",
                 "notify.conf:2: delivery.timeuot: is not a setting; did you mean "
                 "delivery.timeout; notifyd --help-config lists them all");
    expect_error("prefetch = 3;",
                 "notify.conf:2: prefetch: is not a setting; did you mean broker.prefetch; notifyd "
                 "--help-config lists them all");
    expect_error("zzzzzzzzzzzz = { a = 1; };",
                 "notify.conf:2: zzzzzzzzzzzz: is not a setting; notifyd --help-config lists them all");
    expect_error("delivery = { timeout = { a = 1; }; };",
                 "notify.conf:2: delivery.timeout: must be a number, written without quotes");
}

static void syntax_errors_name_the_line(void)
{
    EXPECT_TEXT(
        only_error("workers = 1;\nbroker = { url = ;\n"),
        "notify.conf:2: syntax error; look for a missing ;, quote or bracket on this line or the one before");
    end(NULL);
    EXPECT_TEXT(
        only_error("workers = 1;\nworkers = 2;"),
        "notify.conf:2: duplicate setting name; the name stands there twice in its group; remove one");
    end(NULL);
    EXPECT_TEXT(only_error("retry = { not_found = [1, 2.5]; };"),
                "notify.conf:1: mismatched element type in array; write all numbers of a list alike, e.g. "
                "[1.0, 2.5]");
    end(NULL);
    EXPECT_TEXT(only_error("workers = 1;\nlog = {\n level = \"info; };\n\n"),
                "notify.conf:3: the text that begins here has no closing quote");
    end(NULL);
    EXPECT_TEXT(only_error("workers = 1;\n/* log\n\n"),
                "notify.conf:2: the comment that begins here has no end; close it with */");
    end(NULL);
    EXPECT_TEXT(only_error("workers = 1;\nbroker.url = \"amqp://hunter2\";"),
                "notify.conf:2: a name cannot have a dot; write broker = { url = ...; };");
    end(NULL);
    EXPECT_TEXT(only_error("broker = { queues = [\"a.b = c\"]; };\nbroker.url:\"amqp://hunter2\";"),
                "notify.conf:2: a name cannot have a dot; write broker = { url = ...; };");
    end(NULL);
    EXPECT_TEXT(only_error("@include \"/nonexistent/x\"\n"),
                "notify.conf:1: cannot open include file; check the path behind @include");
    end(NULL);
    struct conf *conf = conf_load_text("notify.conf", "workers = 1;\0x", 14, &errors);
    EXPECT(conf == NULL);
    EXPECT_INT(errors.list.count, 1);
    EXPECT_TEXT(errors.list.items[0], "notify.conf: holds a NUL byte; it must be plain text");
    end(NULL);
}

static void all_errors_come_at_once(void)
{
    struct conf *conf =
        load("workers = 999;\nnonsense = 1;\nbroker = { url = \"http://h\"; queues = [\"amq.x\"]; };\n"
             "log = { level = 5; format = \"xml\"; };");
    EXPECT(conf == NULL);
    EXPECT(has_error("notify.conf:1: workers: "));
    EXPECT(has_error("notify.conf:2: nonsense: "));
    EXPECT(has_error("notify.conf:3: broker.url: "));
    EXPECT(has_error("notify.conf:3: broker.queues: "));
    EXPECT(has_error("notify.conf:4: log.level: "));
    EXPECT(has_error("notify.conf:4: log.format: "));
    EXPECT(has_error("notify.conf: database.url: is not set; "));
    EXPECT_INT(errors.list.count, 7);
    end(NULL);
}

/* --- rules */

static void urls_must_have_the_right_form(void)
{
#define WITH_BROKER(url)   "broker = { url = \"" url "\"; }; database = { url = \"postgresql://d\"; };"
#define WITH_DATABASE(url) "broker = { url = \"amqp://h\"; }; database = { url = \"" url "\"; };"
    static const char *const good[] = {
        WITH_BROKER("amqp://h"),
        WITH_BROKER("amqp://u:p@h:5672/%2F"),
        WITH_BROKER("amqp://u@[::1]:1/v"),
        WITH_DATABASE("postgres://u@/d"),
        WITH_DATABASE("host=/run dbname=notify"),
        WITH_DATABASE("postgresql://"),
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct conf *conf = load(good[i]);
        if (!conf)
            unit_fail(__FILE__, __LINE__, "%s: %s", good[i], errors.list.items[0]);
        end(conf);
    }
    expect_url_error(WITH_BROKER("amqps:///v"), "broker.url", "names no host");
    expect_url_error(WITH_BROKER("redis://h"), "broker.url", "must start with amqp://");
    expect_url_error(WITH_BROKER("amqp://u:p@/v"), "broker.url", "names no host");
    expect_url_error(WITH_BROKER("amqp://"), "broker.url", "names no host");
    expect_url_error(WITH_BROKER("amqp://u:a b@h/"), "broker.url", "names no host");
    expect_url_error(WITH_BROKER(""), "broker.url", "is empty");
    expect_url_error(WITH_BROKER("amqp://h:5672//"), "broker.url", "write %2F for that /");
    expect_url_error(WITH_BROKER("amqp://u:p@h//vhost"), "broker.url", "write %2F for that /");
    expect_url_error(WITH_BROKER("amqp://h:5672/"), "broker.url", "write /%2F for the default one");
    expect_url_error(WITH_BROKER("amqp://h:5672/v?heartbeat=5"), "broker.url", "settings of their own");
    expect_url_error(WITH_BROKER("amqp://h?heartbeat=5"), "broker.url", "settings of their own");
    expect_url_error(WITH_DATABASE("mysql://h/d"), "database.url", "must be postgresql://");
    expect_url_error(WITH_DATABASE("notify"), "database.url", "must be postgresql://");
    expect_url_error(WITH_DATABASE("postgresql+asyncpg://h/d"), "database.url", "SQLAlchemy");
}

static void queues_must_be_usable(void)
{
    expect_error("broker : {};", "notify.conf:2: duplicate setting name; the name stands there twice in its "
                                 "group; remove one");
    static const struct {
        const char *queues, *why;
    } cases[] = {
        {"[]", "is empty; name at least one queue"},
        {"[\"\"]", "name 1 must have 1 to 255 bytes"},
        {"[\"a\", \"amq.b\"]", "name 2 starts with amq."},
        {"[\"notify.due\"]", "notify.due is one of our own queues"},
        {"[\"notify.bulk\"]", "notify.bulk is one of our own queues"},
        {"[\"notify.urgent\"]", "notify.urgent is one of our own queues"},
        {"[\"notify.dead\"]", "notify.dead is one of our own queues"},
        {"[\"notify.delay.3\"]", "notify.delay.3 is one of our own queues"},
        {"[\"a\", \"a\"]", "name 2 is the same as name 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "database = { url = \"host=h\"; }; broker = { url = \"amqp://h\"; queues = %s; };",
                 cases[i].queues);
        expect_url_error(text, "broker.queues", cases[i].why);
    }
    char text[512], name[257];
    memset(name, 'q', 256);
    name[256] = '\0';
    snprintf(text, sizeof text,
             "database = { url = \"host=h\"; }; broker = { url = \"amqp://h\"; queues = [\"%s\"]; };", name);
    expect_url_error(text, "broker.queues", "name 1 must have 1 to 255 bytes");
}

static void the_grace_follows_the_delivery_timeout(void)
{
    struct conf *conf = load(URLS "delivery = { timeout = 100; };");
    EXPECT(conf != NULL);
    EXPECT(conf->shutdown_grace == 105);
    end(conf);
    conf = load(URLS "delivery = { timeout = 1; };");
    EXPECT(conf != NULL);
    EXPECT(conf->shutdown_grace == 30);
    EXPECT(conf->delivery_connect_timeout == 1);
    end(conf);
    conf = load(URLS "delivery = { timeout = 30; }; shutdown_grace = 35;");
    EXPECT(conf != NULL);
    end(conf);
    expect_error(
        "delivery = { timeout = 30; };\nshutdown_grace = 34.9;",
        "notify.conf:3: shutdown_grace: is less than delivery.timeout + 5; set at least 35 or leave it out");
    expect_error(
        "shutdown_grace = 19;",
        "notify.conf:2: shutdown_grace: is less than delivery.timeout + 5; set at least 20 or leave it out");
    expect_error(
        "delivery = { timeout = 4; connect_timeout = 5; };",
        "notify.conf:2: delivery.connect_timeout: is longer than delivery.timeout, which includes it; set at "
        "most 4");
}

static void addresses_and_names_must_have_the_right_form(void)
{
    struct conf *conf =
        load(URLS "agent = { listen = \"\"; }; api = { listen = \"[::1]:0\"; url = \"https://x\"; };"
                  "delivery = { proxy = \"http://proxy:3128\"; };");
    EXPECT(conf != NULL);
    end(conf);
    expect_error("agent = { listen = \"9464\"; };",
                 "notify.conf:2: agent.listen: must be host:port, as 127.0.0.1:9464, or empty for none");
    expect_error("agent = { listen = \"h:65536\"; };",
                 "notify.conf:2: agent.listen: must be host:port, as 127.0.0.1:9464, or empty for none");
    conf = load("broker = { url = \"amqp://u:p@h/%2F\"; hosts = [\"h2:5672\", \"[::1]:5673\"]; };"
                "database = { url = \"postgresql://d\"; };");
    EXPECT(conf != NULL && conf->broker_hosts.count == 2);
    end(conf);
    static const char *const no_hosts[] = {"h2", "h2:0", ":5672", "amqp://h2:5672", "u@h2:5672", "h2:5672/v"};
    for (size_t i = 0; i < sizeof no_hosts / sizeof no_hosts[0]; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "broker = { url = \"amqp://h\"; hosts = [\"h1:1\", \"%s\"]; };"
                 "database = { url = \"postgresql://d\"; };",
                 no_hosts[i]);
        EXPECT_TEXT(only_error(text), "notify.conf:1: broker.hosts: name 2 must be host:port, as "
                                      "rabbit-2.example:5672, without user or vhost");
        end(NULL);
    }
    expect_error("api = { listen = \"::1:80\"; };",
                 "notify.conf:2: api.listen: must be host:port, as 127.0.0.1:8080");
    expect_error("api = { listen = \"\"; };",
                 "notify.conf:2: api.listen: must be host:port, as 127.0.0.1:8080");
    expect_error("api = { url = \"ftp://x\"; };",
                 "notify.conf:2: api.url: must start with http:// or https://, or be empty");
    expect_error("delivery = { proxy = \"socks5://h:1\"; };",
                 "notify.conf:2: delivery.proxy: must be http://host:port, or empty for none");
    expect_error("tasks = { notify_event = [\"a.b\"]; };",
                 "notify.conf:2: tasks.notify_event: name 1 must be the "
                 "last component of a task's name, without dots");
}

static void keys_must_be_fernet_keys(void)
{
    struct conf *conf = load(URLS "secrets = { fernet_keys = [\"" GOOD_KEY "\", \"" GOOD_KEY "\"]; };");
    EXPECT(conf != NULL);
    EXPECT_INT(conf->secrets_fernet_keys.count, 2);
    end(conf);
    expect_error(
        "secrets = { fernet_keys = [\"" GOOD_KEY "\", \"hunter2\"]; };",
        "notify.conf:2: secrets.fernet_keys: key 2 is not a Fernet key; it must be 32 bytes in base64, 44 "
        "characters");
    expect_error("secrets = { fernet_keys = [\"" GOOD_KEY "," GOOD_KEY "\"]; };",
                 "notify.conf:2: secrets.fernet_keys: key 1 is not a Fernet key; it must be 32 bytes in "
                 "base64, 44 characters; write one key a line, or each as a text of its own");
}

/* --- files and environment */

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *__attribute__((format(printf, 2, 3))) write_file(const char *name, const char *format, ...)
{
    const char *path = in_folder(name);
    FILE *f = fopen(path, "w");
    EXPECT(f != NULL);
    va_list args;
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    fclose(f);
    return path;
}

static void enter_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/unit-conf-XXXXXX");
    EXPECT(mkdtemp(folder) != NULL);
    unsetenv("AMQP_URL");
    unsetenv("DATABASE_URL");
    unsetenv("FERNET_KEY");
}

static void leave_folder(void)
{
    static const char *const names[] = {"conf", "secret", "keys"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(in_folder(names[i]));
    rmdir(folder);
    unsetenv("AMQP_URL");
    unsetenv("DATABASE_URL");
    unsetenv("FERNET_KEY");
}

static void the_environment_overrides_the_file(void)
{
    enter_folder();
    setenv("AMQP_URL", "amqp://from-environment", 1);
    setenv("FERNET_KEY", " " GOOD_KEY " ,, " GOOD_KEY, 1);
    setenv("DATABASE_URL", "", 1); /* counts as unset */
    struct conf *conf = conf_load(
        write_file("conf", "%s", URLS "secrets = { fernet_keys_file = \"/nonexistent\"; };"), &errors);
    EXPECT(conf != NULL);
    EXPECT_TEXT(conf->broker_url, "amqp://from-environment");
    EXPECT_TEXT(conf->database_url, "postgresql://d");
    EXPECT_INT(conf->secrets_fernet_keys.count, 2);
    EXPECT_TEXT(conf->secrets_fernet_keys.items[0], GOOD_KEY);
    end(conf);

    setenv("DATABASE_URL", "host=h", 1);
    conf = conf_load(NULL, &errors);
    EXPECT(conf != NULL);
    EXPECT_TEXT(conf->database_url, "host=h");
    end(conf);

    setenv("DATABASE_URL", "nonsense", 1);
    EXPECT(conf_load(NULL, &errors) == NULL);
    EXPECT(has_error("environment variable DATABASE_URL: database.url: must be postgresql://"));
    end(NULL);
    leave_folder();
}

static bool is_of_api(const char *path)
{
    return strncmp(path, "api.", 4) == 0;
}

static void what_is_not_wanted_is_not_read_and_not_judged(void)
{
    enter_folder();
    setenv("FERNET_KEY", GOOD_KEY, 1);
    struct conf *conf = conf_load_part(
        write_file(
            "conf", "%s",
            "broker = { url = 3; }; database = { url = \"secret\"; url_file = \"/nonexistent\"; };\n"
            "secrets = { fernet_keys = [\"none\"]; }; api = { url = \"https://api.example\"; rate = 7.0; };"),
        is_of_api, &errors);
    EXPECT(conf != NULL);
    EXPECT_TEXT(conf->api_url, "https://api.example");
    EXPECT(conf->api_rate == 7);
    EXPECT_TEXT(conf->database_url, "");
    EXPECT_TEXT(conf->database_url_file, "");
    EXPECT_INT(conf->secrets_fernet_keys.count, 0);
    end(conf);

    EXPECT(conf_load_part(write_file("conf", "%s", "api = { url = \"x\"; rate = \"x\"; raet = 1; };"),
                          is_of_api, &errors) == NULL);
    EXPECT_INT(errors.list.count, 3);
    EXPECT(has_error("conf:1: api.url: must start with http://"));
    end(NULL);
    EXPECT((conf = conf_load_part(NULL, is_of_api, &errors)) != NULL);
    end(conf);
    leave_folder();
}

/* A configuration whose database.url comes from the file "secret". */
static const char *conf_with_file(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s",
             write_file("conf",
                        "broker = { url = \"amqp://h\"; };\ndatabase = { url_file = \"%s/secret\"; };",
                        folder));
    return path;
}

static void secrets_come_from_files(void)
{
    enter_folder();
    write_file("secret", "postgresql://from-file\r\n\n");
    struct conf *conf = conf_load(conf_with_file(), &errors);
    EXPECT(conf != NULL);
    EXPECT_TEXT(conf->database_url, "postgresql://from-file");
    end(conf);

    write_file("keys", "%s\n\n  %s  \r\n", GOOD_KEY, GOOD_KEY);
    write_file("conf", "%s secrets = { fernet_keys_file = \"%s/keys\"; };", URLS, folder);
    conf = conf_load(in_folder("conf"), &errors);
    EXPECT(conf != NULL);
    EXPECT_INT(conf->secrets_fernet_keys.count, 2);
    EXPECT_TEXT(conf->secrets_fernet_keys.items[1], GOOD_KEY);
    end(conf);

    write_file("keys", "%s,%s\n", GOOD_KEY, GOOD_KEY);
    EXPECT(conf_load(in_folder("conf"), &errors) == NULL);
    EXPECT_INT(errors.list.count, 1);
    EXPECT(has_error("/keys: secrets.fernet_keys: key 1 is not a Fernet key; "));
    EXPECT(has_error("write one key a line"));
    end(NULL);
    leave_folder();
}

/* The file "secret" is refused with WHY. */
static void expect_secret_refused(const char *why)
{
    EXPECT(conf_load(conf_with_file(), &errors) == NULL);
    EXPECT_INT(errors.list.count, 1);
    EXPECT(strstr(errors.list.items[0], "conf:2: database.url_file: ") != NULL);
    EXPECT(strstr(errors.list.items[0], "/secret") != NULL);
    if (!strstr(errors.list.items[0], why))
        unit_fail(__FILE__, __LINE__, "%s does not say %s", errors.list.items[0], why);
    EXPECT(strstr(errors.list.items[0], "postgresql") == NULL);
    end(NULL);
}

static void secret_files_must_be_usable(void)
{
    enter_folder();
    expect_secret_refused("cannot be read: No such file or directory");
    write_file("secret", "\n");
    expect_secret_refused("is empty");
    write_file("secret", "postgresql://a\npostgresql://b\n");
    expect_secret_refused("must hold one line");
    write_file("secret", "postgresql://a%cb", '\0');
    expect_secret_refused("must hold one line");
    write_file("secret", "%065537d", 1);
    expect_secret_refused("is longer than 65536 bytes");

    write_file("secret", "postgresql://a");
    write_file(
        "conf",
        "broker = { url = \"amqp://h\"; };\ndatabase = { url = \"host=h\"; url_file = \"%s/secret\"; };",
        folder);
    EXPECT(conf_load(in_folder("conf"), &errors) == NULL);
    EXPECT_INT(errors.list.count, 1);
    EXPECT(has_error("conf:2: database.url_file: database.url is set too; remove one of the two"));
    end(NULL);
    leave_folder();
}

static void a_file_that_cannot_be_read_is_one_clear_error(void)
{
    enter_folder();
    EXPECT(conf_load(in_folder("conf"), &errors) == NULL);
    EXPECT_INT(errors.list.count, 1);
    EXPECT(has_error("/conf: cannot be read: No such file or directory; give the right file with -c FILE"));
    end(NULL);
    EXPECT(conf_load(folder, &errors) == NULL);
    EXPECT_INT(errors.list.count, 1);
    EXPECT(has_error("cannot be read: Is a directory"));
    end(NULL);
    leave_folder();
}

static void errors_never_hold_a_secret(void)
{
    static const char *const texts[] = {
        "broker = { url = \"http://u:hunter2@h/\"; }; database = { url = \"mysql://u:hunter2@h/\"; };",
        "broker = { url = \"amqp://u:hunter2@/\"; }; database = { url = \"hunter2\"; };",
        URLS "secrets = { fernet_keys = [\"hunter2\"]; };",
        URLS "secrets = { fernet_keys = \"hunter2\"; };",
        URLS "database = \"hunter2\";",
        "broker = { url = [\"hunter2\"]; }; database = { url = (\"hunter2\", 5); };",
        "broker = { url = \"amqp://u:hunter2@h/\" \"\n ;;",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        EXPECT(load(texts[i]) == NULL);
        EXPECT(errors.list.count > 0);
        EXPECT(!has_error("hunter2"));
        end(NULL);
    }
}

/* --- the reference */

static void help_names_every_setting(void)
{
    for (int markdown = 0; markdown < 2; markdown++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        conf_print_help(out, markdown != 0);
        fclose(out);
        for (size_t i = 0; i < CONF_ROW_COUNT; i++) {
            EXPECT(strstr(text, conf_rows[i].path) != NULL);
            EXPECT(strstr(text, conf_rows[i].help) != NULL);
        }
        EXPECT(strstr(text, markdown ? "| `workers` | whole number | `0` | 0 to 256 |"
                                     : "workers\n    whole number, 0 to 256, default 0\n") != NULL);
        EXPECT(strstr(text, markdown ? "| `log.level` | word | `\"info\"` | debug, info, warn, error |"
                                     : "word, debug or info or warn or error, default \"info\"") != NULL);
        free(text);
    }
}

/* What the table promises must pass its own checks. */
static void every_default_lies_in_its_range(void)
{
    for (size_t i = 0; i < CONF_ROW_COUNT; i++) {
        const struct conf_row *row = &conf_rows[i];
        if (row->type == CONF_INT || row->type == CONF_NUM) {
            EXPECT(row->min <= row->number_default && row->number_default <= row->max);
            EXPECT(row->min < row->max && row->max <= 2147483647);
        }
        if (row->type == CONF_WORD)
            EXPECT(strstr(row->words, row->text_default) != NULL);
        EXPECT(row->help[0] && row->help[strlen(row->help) - 1] == '.');
    }
}

UNIT_MAIN(UNIT_CASE(defaults_are_those_of_the_table), UNIT_CASE(every_kind_of_value_is_read),
          UNIT_CASE(wrong_types_are_refused_by_name_and_line), UNIT_CASE(values_out_of_range_are_refused),
          UNIT_CASE(numbers_beyond_32_bits_are_seen_as_they_are),
          UNIT_CASE(long_digits_in_texts_and_comments_stay_as_they_are),
          UNIT_CASE(every_queue_has_a_share_of_the_prefetch),
          UNIT_CASE(unknown_settings_are_refused_with_a_hint), UNIT_CASE(syntax_errors_name_the_line),
          UNIT_CASE(all_errors_come_at_once), UNIT_CASE(urls_must_have_the_right_form),
          UNIT_CASE(queues_must_be_usable), UNIT_CASE(the_grace_follows_the_delivery_timeout),
          UNIT_CASE(addresses_and_names_must_have_the_right_form), UNIT_CASE(keys_must_be_fernet_keys),
          UNIT_CASE(the_environment_overrides_the_file), UNIT_CASE(secrets_come_from_files),
          UNIT_CASE(what_is_not_wanted_is_not_read_and_not_judged), UNIT_CASE(secret_files_must_be_usable),
          UNIT_CASE(a_file_that_cannot_be_read_is_one_clear_error), UNIT_CASE(errors_never_hold_a_secret),
          UNIT_CASE(help_names_every_setting), UNIT_CASE(every_default_lies_in_its_range))
