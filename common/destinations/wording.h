#ifndef NOTIFY_DESTINATIONS_WORDING_H
#define NOTIFY_DESTINATIONS_WORDING_H

#include "common/base/buf.h"
#include "common/model/event.h"

/*
 * The words, signs and colours that users know from the live product (compat.md section 5), for every kind
 * that shows a message to people. Everything that is appended is plain text, cleaned (text.h) but not
 * escaped: what comes from scanned systems may still be markup at the destination.
 */

/* What a test says. */
#define WORDING_TEST "Pencheff integration test"

/*
 * The line of an event in a chat, exactly in the product's words. One line, but for finding_new, whose
 * endpoint stands on a line of its own. What is not known is left out together with its word (CVSS, Grade,
 * the profile's brackets, the colon before an error).
 */
void wording_add_line(struct buf *out, const struct event *event, const struct facts *facts);
/* The line's beginning, as a title: without the endpoint, the error and the change. */
void wording_add_headline(struct buf *out, const struct event *event, const struct facts *facts);

/* A digest in a line is of several lines: the worst findings follow, and how many more there are. */
void wording_add_digest_lines(struct buf *out, const struct facts_digest *digest);

/* The counts of a scan's summary, by severity. Names that are no severity ("total") do not count. */
void wording_read_counts(const char *summary_json, int64_t counts[SEVERITY_COUNT]);

/* "2 high, 12 medium, 11 low", worst first, zero counts left out; "no findings" when there are none. Of a digest those of its
 * findings, else those of the scan's summary. */
void wording_add_counts(struct buf *out, const struct facts *facts);

/* 🚨 🔴 🟠 🟡 🔵 */
const char *wording_sign(enum severity severity);
/* 0xRRGGBB */
uint32_t wording_severity_colour(enum severity severity);
/* Of a finding its severity's; of scan_done that of the worst severity that was counted; of scan_failed
 * critical's; else info's. */
uint32_t wording_event_colour(const struct event *event, const struct facts *facts);

/* What went wrong: the producer's words; for a failed scan without words of its own those of the scan's row.
 * As it is stored; NULL when there is nothing to say. */
const char *wording_error(const struct event *event, const struct facts *facts);

#endif
