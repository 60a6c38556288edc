// Turns figures into short text. Absent figures are a dash, so that nothing looks like a zero that is none.

export const ABSENT = '–';

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

export function formatCount(count: number): string {
  return count < 1_000_000 ? WHOLE.format(count) : COMPACT.format(count);
}

export function formatRate(perSecond: number | null): string {
  if (perSecond === null) return ABSENT;
  if (perSecond === 0) return '0';
  if (perSecond < 0.1) return '< 0.1';
  return perSecond < 100 ? perSecond.toFixed(1) : formatCount(perSecond);
}

/** Milliseconds, with three digits that count. */
export function formatMs(ms: number | null): string {
  if (ms === null) return ABSENT;
  if (ms < 10) return ms.toFixed(2);
  return ms < 100 ? ms.toFixed(1) : WHOLE.format(ms);
}

/** Never rounds to 100 % or 0 % what is neither. */
export function formatShare(share: number | null): string {
  if (share === null) return ABSENT;
  const percent = share * 100;
  if (percent > 0 && percent < 0.01) return '< 0.01 %';
  if (percent < 100 && percent > 99.99) return '> 99.99 %';
  const digits = percent > 99 || percent < 1 ? 2 : 1;
  return `${Number(percent.toFixed(digits))} %`;
}

export function formatPercentage(percentage: number | null): string {
  return percentage === null ? ABSENT : `${Number(percentage.toFixed(3))} %`;
}

/** RFC 3339 to local time, with the day unless that is today. */
export function formatTime(timestamp: string): string {
  const date = new Date(timestamp);
  if (Number.isNaN(date.getTime())) return timestamp;
  const time = TIME.format(date);
  return date.toDateString() === new Date().toDateString() ? time : `${DAY.format(date)} ${time}`;
}

/** Unix seconds to local hours and minutes. */
export function formatClock(unixSeconds: number): string {
  return CLOCK.format(unixSeconds * 1000);
}

/** `queue_full` → `queue full`. */
export function formatWord(word: string): string {
  return word.replaceAll('_', ' ');
}

export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
