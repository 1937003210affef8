/* Escapes, time and UTF-8 of the log records, without libc's time zones and locales. */
#include "log.h"

static bool is_plain(uint8_t c) {
  return c >= 0x20 && c < 0x80 && c != '"' && c != '&' && c != '<' && c != '>' && c != '\\';
}

/* The compiler makes vector instructions of it, of any processor: 16 bytes at once, as is_plain does with one. */
typedef int8_t sixteen __attribute__((vector_size(16)));

size_t plain_length(const uint8_t *p, size_t length) {
  size_t i = 0;
  for (; length - i >= sizeof(sixteen); i += sizeof(sixteen)) {
    sixteen v;
    uint64_t marks[2];
    memcpy(&v, p + i, sizeof v);
    /* Signed: below a blank are the control characters, and all above ASCII. '<' is '>' without the second bit. */
    sixteen special = (v < ' ') | (v == '"') | (v == '&') | ((v | 2) == '>') | (v == '\\');
    memcpy(marks, &special, sizeof marks);
    if (marks[0])
      return i + (size_t)__builtin_ctzll(marks[0]) / 8;
    if (marks[1])
      return i + 8 + (size_t)__builtin_ctzll(marks[1]) / 8;
  }
  while (i < length && is_plain(p[i]))
    i++;
  return i;
}

size_t utf8_length(const uint8_t *p, size_t left) {
  uint8_t c = p[0], low = 0x80, high = 0xbf;
  size_t n = c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
  if (n == 0 || n > left)
    return 0;
  if (c == 0xe0)
    low = 0xa0; /* overlong */
  if (c == 0xed)
    high = 0x9f; /* surrogates */
  if (c == 0xf0)
    low = 0x90; /* overlong */
  if (c == 0xf4)
    high = 0x8f; /* above U+10FFFF */
  if (p[1] < low || p[1] > high)
    return 0;
  for (size_t i = 2; i < n; i++)
    if ((p[i] & 0xc0) != 0x80)
      return 0;
  return n;
}

static void two_digits(struct text *t, uint64_t n) {
  char digits[2] = {(char)('0' + n / 10), (char)('0' + n % 10)};
  text_bytes(t, digits, 2);
}

/* Days since 1970 to a date (H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days). */
static void put_date(struct text *t, uint64_t days) {
  uint64_t z = days + 719468, era = z / 146097, doe = z % 146097;
  uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
  uint64_t month = mp < 10 ? mp + 3 : mp - 9;
  text_number(t, yoe + era * 400 + (month <= 2));
  text_str(t, "-");
  two_digits(t, month);
  text_str(t, "-");
  two_digits(t, doy - (153 * mp + 2) / 5 + 1);
}

void log_time(char *out, size_t size, uint64_t ns) {
  struct text t = text_in(out, size);
  uint64_t seconds = ns / 1000000000u, fraction = ns % 1000000000u;
  put_date(&t, seconds / 86400);
  text_str(&t, "T");
  two_digits(&t, seconds / 3600 % 24);
  text_str(&t, ":");
  two_digits(&t, seconds / 60 % 60);
  text_str(&t, ":");
  two_digits(&t, seconds % 60);
  if (fraction) {
    char digits[10] = ".";
    size_t n = sizeof digits;
    for (size_t i = n; --i;) {
      digits[i] = (char)('0' + fraction % 10);
      fraction /= 10;
    }
    while (digits[n - 1] == '0')
      n--;
    text_bytes(&t, digits, n);
  }
  text_str(&t, "Z");
}
