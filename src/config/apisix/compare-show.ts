// A comparison of the model as the plugin umbra-compare: what is shown of a route that stands in a config file.
//
// Best effort, like all that is shown. Never shows the value of a header, nor a file's name.

import { type Compare, type DetailedDiff, HOST_PASS, type Shadow, type Tolerance } from '../../core/model.ts';
import { DEFAULTS } from '../defaults.ts';
import { toPercentText, toSizeText } from '../quantity.ts';
import { toUrl } from '../umbra/mirror-text.ts';

type Shown = Record<string, unknown>;

export const HIDDEN = '(hidden)';

export function toComparePlugin(compare: Compare, control: Shadow | null): Shown {
  const { logMismatches, detail, mask, maxMismatches, thresholds } = compare;
  const plugin: Shown = { enabled: true, log_mismatches: logMismatches, detailed_diff: detail !== null };
  if (detail !== null) Object.assign(plugin, toDetail(detail));
  putFilled(plugin, 'mask', mask);
  plugin.max_mismatches = maxMismatches;
  if (control !== null) plugin.control = toControl(control);
  const { minCompared, maxMismatch, maxError, maxP99Ratio } = thresholds;
  const verdict: Shown = { min_compared: minCompared, max_mismatch: maxMismatch, max_error: maxError };
  if (maxP99Ratio !== null) verdict.max_p99_ratio = maxP99Ratio;
  plugin.verdict = verdict;
  return plugin;
}

function toDetail(detail: DetailedDiff): Shown {
  const { ignoreHeaders, ignoreJsonFields, unordered, tolerances, maxBodyCaptureBytes } = detail;
  const shown: Shown = {};
  putFilled(shown, 'ignore_headers', ignoreHeaders);
  putFilled(shown, 'ignore_json_fields', ignoreJsonFields);
  putFilled(shown, 'unordered', unordered);
  if (tolerances.length > 0) {
    shown.tolerance = Object.fromEntries(
      tolerances.map((tolerance) => [tolerance.path, toAmount(tolerance)]),
    );
  }
  shown.max_body_capture = toSizeText(maxBodyCaptureBytes);
  return shown;
}

function toAmount({ largest, isRelative }: Tolerance): string | number {
  return isRelative ? toPercentText(largest)! : largest;
}

function toControl(control: Shadow): Shown {
  const shown: Shown = { url: toUrl(control) };
  const { set, remove } = control.headers;
  const headers: Shown = {};
  // The value may be a credential.
  if (set.length > 0) headers.set = Object.fromEntries(set.map(([name]) => [name, HIDDEN]));
  putFilled(headers, 'remove', remove);
  if (Object.keys(headers).length > 0) shown.headers = headers;
  if (control.hostHeader !== HOST_PASS) shown.host_header = control.hostHeader;
  if (control.tls !== null) shown.tls = { verify: control.tls.verify };
  if (control.client !== DEFAULTS.client) shown.client = control.client;
  return shown;
}

function putFilled(shown: Shown, key: string, list: readonly string[]): void {
  if (list.length > 0) shown[key] = list;
}
