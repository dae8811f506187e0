#ifndef NOTIFY_DESTINATIONS_GOOGLE_CHAT_H
#define NOTIFY_DESTINATIONS_GOOGLE_CHAT_H

#include "common/destinations/dest_config.h"

/*
 * The parts of the Google Chat destination, for google_chat*.c and its tests only: everybody else sees dest.h.
 *
 * A message may have 32,000 bytes with its cards (developers.google.com/workspace/chat/api/reference/rest/v1/
 * spaces.messages/create), and a card 100 widgets, of which ours has at most 16 (googleapis google/apps/card/v1/
 * card.proto). Texts had a limit of 4,096 characters until a few years ago, which is kept for the sake of servers that
 * speak the same language. The headline's limit is ours: the longest title (500) and what stands before it.
 */
enum {
    GOOGLE_CHAT_MESSAGE_MAX = 32000,
    GOOGLE_CHAT_TEXT_MAX = 4000,
    GOOGLE_CHAT_HEADLINE_MAX = 600,
    GOOGLE_CHAT_WIDGETS_MAX = 100,
};

struct google_chat_config {
    const char *url;       /* the credential itself */
    const char *in_thread; /* the same, for a message that names a thread */
    enum dest_style style;
};

/*
 * The message; layouts are those of enum dest_style. All about one finding names one thread, which Google Chat makes with
 * the first message of it (developers.google.com/workspace/chat/create-messages, "Start or reply to a message thread").
 */
dest_body_builder google_chat_body_build;

/*
 * The verdict on an answer. Delivered is only a 2xx whose body is a JSON object without an `error`, as the message that
 * was made; else the word in error.status decides, and without a known one the status. The pause that google.rpc.RetryInfo
 * asks for counts like Retry-After.
 */
struct verdict google_chat_judge(const struct dest_response *response);

#endif
