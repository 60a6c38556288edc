// All subjects of the micro-benchmarks, each by the name of its file.

import type { MicroCase } from './case.ts';
import { answerCompare } from './subjects/answer-compare.ts';
import { answerDiff } from './subjects/answer-diff.ts';
import { bodyDigest } from './subjects/body-digest.ts';
import { copyHead } from './subjects/copy-head.ts';
import { decision } from './subjects/decision.ts';
import { handOff } from './subjects/hand-off.ts';
import { jobLayout } from './subjects/job-layout.ts';
import { latencyHistogram } from './subjects/latency-histogram.ts';
import { limit } from './subjects/limit.ts';
import { requestHead } from './subjects/request-head.ts';
import { responseHead } from './subjects/response-head.ts';
import { routeMatch } from './subjects/route-match.ts';
import { tap } from './subjects/tap.ts';

/** In the order of an exchange's way. */
export const SUBJECTS: Readonly<Record<string, readonly MicroCase[]>> = {
  'request-head': requestHead,
  'route-match': routeMatch,
  decision,
  tap,
  'job-layout': jobLayout,
  'hand-off': handOff,
  'response-head': responseHead,
  'latency-histogram': latencyHistogram,
  limit,
  'copy-head': copyHead,
  'body-digest': bodyDigest,
  'answer-compare': answerCompare,
  'answer-diff': answerDiff,
};

export interface TitledCase {
  readonly subject: string;
  /** Subject and name: unique. */
  readonly title: string;
  readonly micro: MicroCase;
}

/** Those whose title has the text in it. */
export function findCases(text: string): TitledCase[] {
  const all = Object.entries(SUBJECTS).flatMap(([subject, cases]) =>
    cases.map((micro) => ({ subject, title: `${subject}: ${micro.name}`, micro })),
  );
  return all.filter(({ title }) => title.includes(text));
}
