#ifndef NOTIFY_BASE_KIND_TABLE_H
#define NOTIFY_BASE_KIND_TABLE_H

/*
 * Every kind of destination, once: ROW(A, kind, rate, "help of the setting gate.rate_<kind>"). The row makes the
 * destination known to all of the product: `const struct dest dest_<kind>`, which is in common/destinations, is
 * linked by it, and the setting is made of it. A is passed on to ROW as it is. The rate is requests a second to one
 * integration of that kind, on one host; 0: no limit. docs/destinations/adding-one.md says what else a new one needs.
 */
#define KIND_TABLE(ROW, A)                                                                                   \
    ROW(A, webhook, 0,                                                                                       \
        "Requests a second to one webhook, on this host; 0: no limit but what its answers ask for (429 "     \
        "halves it).")                                                                                       \
    ROW(A, slack, 1,                                                                                         \
        "Requests a second to one Slack webhook, on this host. Slack allows one, with short bursts, and "    \
        "may disable an app that goes on beyond.")                                                           \
    ROW(A, teams, 1,                                                                                         \
        "Requests a second to one Teams workflow, on this host. Teams takes about four, but a workflow "     \
        "posts about 25 messages in five minutes: what is more waits in its runs, and may be lost there "    \
        "unseen. For a busy channel 0.08 is safe.")                                                          \
    ROW(A, google_chat, 1,                                                                                   \
        "Requests a second to one Google Chat webhook, on this host. Google Chat allows one a second in a "  \
        "space, all of its webhooks together: with several of them, set less.")                              \
    ROW(A, discord, 0.5,                                                                                     \
        "Requests a second to one Discord webhook, on this host. Discord was seen to take 30 a minute for "  \
        "all webhooks of a channel, and says in its answers (429) when it is less.")                         \
    ROW(A, pagerduty, 2,                                                                                     \
        "Requests a second to one PagerDuty integration, on this host. PagerDuty takes about 120 a minute "  \
        "for each integration key.")                                                                         \
    ROW(A, github, 1,                                                                                        \
        "Issues a second in one repository, on this host. GitHub wants writes a second apart, and answers "  \
        "more than some 80 a minute or 500 an hour of one account with a pause, which is kept.")             \
    ROW(A, jira, 5,                                                                                          \
        "Issues a second in one Jira project, on this host. Jira publishes no number for API tokens, only "  \
        "that bursts have a limit; five make three hundred issues a minute, more than anybody reads.")       \
    ROW(A, opsgenie, 0,                                                                                      \
        "Requests a second to one Opsgenie integration, on this host; 0: no limit but what its answers ask " \
        "for (429 halves it). Opsgenie allows what plan and number of users give, and publishes no number.") \
    ROW(A, splunk, 0,                                                                                        \
        "Requests a second to one Splunk collector, on this host; 0: no limit but what its answers ask for " \
        "(429 halves it). Splunk has none but its capacity.")

#endif
