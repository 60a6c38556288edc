// What two answers differ in: status, headers, body, as a list of typed differences.
//
// Pure. Everything here is bounded, whatever the answers hold: no input makes it throw, recurse without end or keep
// more than it was given.

/** A body longer than what is kept of it has no bytes here, only their number and their digest. */
export interface AnswerContent {
  readonly status: number;
  /** Header lines as in upstream/client.ts: each with its line end, in order, without content-length. */
  readonly lines: string;
  /** Null when it was longer than DetailedDiff.maxBodyCaptureBytes. */
  readonly body: Uint8Array | null;
  readonly bodyBytes: number;
  /** SHA-256 in base64 where `body` is null; else empty. */
  readonly digest: string;
}

/**
 * missing: only the primary has it. extra: only the shadow has it. type: of another JSON type. value: another value.
 * length: arrays of different length. order: the same elements in another order. text: lines of text. digest: bodies that
 * are compared by digest and length alone.
 */
export const DIFF_KINDS = ['missing', 'extra', 'type', 'value', 'length', 'order', 'text', 'digest'] as const;
export type DiffKind = (typeof DIFF_KINDS)[number];

export interface FieldDiff {
  /**
   * What differs, the same for every exchange: `status`, `header:content-type`, `body` as a whole, or a place in a JSON body
   * with array indices left out, such as `body:items[].id`. Differences are counted, and noise is found, by it.
   */
  readonly field: string;
  /** Where exactly, in the same form with array indices: `body:items[3].id`. */
  readonly at: string;
  readonly kind: DiffKind;
  /** What the primary has there, cut to VALUE_LENGTH_MAX characters; null when it has nothing, MASKED where it must not be kept. */
  readonly primary: string | null;
  readonly shadow: string | null;
}

/** How bodies were compared. */
export type BodyMethod = 'bytes' | 'json' | 'text' | 'digest';

export interface AnswerDiff {
  /** Empty: nothing differs that may not. At most DIFFS_MAX. */
  readonly diffs: readonly FieldDiff[];
  /**
   * Whether there may be fields that differ and are not listed: the work was cut short. Of one field in elements of arrays, or
   * of lines of text, not every difference is listed, and that alone does not count.
   */
  readonly isCut: boolean;
  readonly bodyMethod: BodyMethod;
  /** Why bodies were compared by digest though detail was asked for; null otherwise. One short clause. */
  readonly note: string | null;
  /** Fields that differ as the filter says they do anyway, each once; at most NOISE_MAX. They are not among the differences. */
  readonly noise: readonly string[];
}

/** What noise is told by beside what a FieldDiff says. */
export interface DiffFacts {
  /** Of `text`: the whole lines of primary and shadow. */
  readonly lines?: readonly [string | null, string | null];
  /** Of `length`: whether one of the arrays has no elements. */
  readonly isOneEmpty?: boolean;
  /** Of a `missing` or `extra` member where both objects have as many members that the other one has not. */
  readonly renamed?: Renamed;
}

export interface Renamed {
  /** Field of the object. */
  readonly parent: string;
  /** Members on each side that the other one has not. */
  readonly members: number;
}

/** What is known to differ between two answers of the same version. */
export interface NoiseFilter {
  /** Of what a FieldDiff would say. */
  covers(field: string, kind: DiffKind, at: string, facts?: DiffFacts): boolean;
  /** Of arrays that come in another order each time; absent where none is known. */
  readonly isReordered?: ((field: string) => boolean) | null;
  /**
   * For learning what is noise: of each field and kind one difference is listed, without values, and of LEARNT_MAX of them
   * instead of DIFFS_MAX.
   */
  readonly isLearning?: boolean;
}

export const DIFFS_MAX = 100;
export const NOISE_MAX = 100;
export const LEARNT_MAX = 1000;
export const VALUE_LENGTH_MAX = 200;
export const MASKED = '(masked)';

/** Nothing differs, not even in the bytes of the body. Shared by all such answers. */
export const NO_DIFF: AnswerDiff = Object.freeze({
  diffs: Object.freeze([]),
  isCut: false,
  bodyMethod: 'bytes',
  note: null,
  noise: Object.freeze([]),
});
