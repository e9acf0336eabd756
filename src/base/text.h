/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h - hashing, "did you mean", and numbers out of text. */
#ifndef VMLANE_BASE_TEXT_H
#define VMLANE_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include "base/macro.h"

#define HASH_INIT 0xcbf29ce484222325u

/* hash_bytes() - FNV-1a over @len bytes, continued from @seed; HASH_INIT starts. */
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t len);
/* hash_str() - hash_bytes() over the text and its NUL, so that "a","bc" differs from "ab","c". */
uint64_t hash_str(uint64_t seed, const char *s);
/* hash_mix() - spread the entropy of an FNV value into all its bits before it is cut short. */
uint64_t hash_mix(uint64_t h);

/* text_suggest() - the entry of @words (n of them) nearest to @typed, or NULL when none is near. */
const char *text_suggest(const char *typed, const char *const *words, size_t n);

/* text_u32() - a plain decimal number within [min, max]; -EINVAL, or -ERANGE when outside. */
int text_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret) __must_check;

/* text_hex_digit() - the value of a hexadecimal digit of either case; -1 for anything else. */
int text_hex_digit(char c);

#endif
