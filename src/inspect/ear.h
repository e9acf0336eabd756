/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ear.h - what is sent to a guest by its port, as far as it answers a first question (wire/answer.h). */
#ifndef VMLANE_INSPECT_EAR_H
#define VMLANE_INSPECT_EAR_H

#include "base/err.h"
#include "wire/answer.h"

struct ear;

/* ear_open() - at device @ifindex, for what goes out there from now on; it is not taken away. */
int ear_open(int ifindex, struct ear **ret, struct err *e) __must_check;
void ear_close(struct ear *h);

/* ear_fd() - readable (poll) when ear_listen() has something to do. */
int ear_fd(const struct ear *h);

/* ear_clear() - what was sent so far is not listened to. */
void ear_clear(struct ear *h);

/* ear_listen() - give @fn what is there, until it says that this was it; whether it has. */
bool ear_listen(struct ear *h, bool (*fn)(const struct answer *a, void *ctx), void *ctx);

#endif
