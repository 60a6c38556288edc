// The files under config/observability, held against the metrics of a real gateway: what a dashboard or an alert asks for is there.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { parseDocument } from 'yaml';
import { type Gateway, openGateway } from './kit/gateway.ts';
import { type Origin, openOrigin } from './kit/origin.ts';
import { request } from './kit/raw.ts';
import { type Exposition, readExposition } from './observability/exposition.ts';
import { findNames, judgeExpression } from './observability/promql.ts';

const ROOT = new URL('../', import.meta.url);
/** Prometheus's own form: units from the largest to the smallest, each at most once. */
const DURATION = /^(?=\d)(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$/;
const COLUMNS = 24;

interface Query {
  readonly expr: string;
  readonly legendFormat: string;
  readonly refId: string;
  readonly datasource: { readonly uid: string };
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Query[];
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly Variable[] };
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

const dashboard = JSON.parse(read('config/observability/grafana-dashboard.json')) as Dashboard;
const panels = dashboard.panels.filter(({ type }) => type !== 'row');

function readRules(): { readonly name: string; readonly rules: readonly Rule[] }[] {
  const document = parseDocument(read('config/observability/alerts.yaml'), { uniqueKeys: true });
  assert.deepEqual(document.errors, []);
  const { groups, ...others } = document.toJS();
  assert.deepEqual(others, {}, 'a rule file has groups and nothing else');
  return groups;
}

const rules = readRules().flatMap((group) => group.rules);
let exposition: Exposition;
let close: () => Promise<void>;

/** One route with all that a mirror can have, and one that is not mirrored; each has had traffic. */
before(async () => {
  const [primary, shadow, control] = [await openOrigin(), await openOrigin(), await openOrigin()];
  let gateway: Gateway | null = null;
  close = async () => {
    try {
      if (gateway !== null) assert.equal(await gateway.stop(), 0);
    } finally {
      gateway?.signal('SIGKILL');
      await Promise.all([primary.close(), shadow.close(), control.close()]);
    }
  };
  gateway = await openGateway({ config: toConfig({ primary, shadow, control }) });
  const json = ['Content-Type: application/json'];
  primary.behave({ body: '{"a":1}', fields: json });
  shadow.behave({ body: '{"a":2}', fields: json });
  control.behave({ body: '{"a":1}', fields: json });
  for (const path of ['/compared', '/plain']) {
    assert.equal((await request(gateway.port, { path })).status, 200);
  }
  const { compared } = await gateway.settled({ compared: 1 });
  assert.equal(compared!.body_mismatches, 1);
  exposition = readExposition(await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text());
});

after(() => close());

function toConfig({ primary, shadow, control }: Readonly<Record<string, Origin>>): string {
  return `routes:
  - id: compared
    path: /compared
    backends: [{ url: ${primary!.url} }]
    mirror:
      backends: [{ url: ${shadow!.url} }]
      limit: { count: 100, time_window: 60 }
      compare: { detailed_diff: true, control: { url: ${control!.url} } }
  - id: plain
    path: /plain
    backends: [{ url: ${primary!.url} }]`;
}

/** Names of `{{ … }}` in what Grafana shows beside a line, and of `$labels.…` in what an alert says. */
function findPlaceholders(text: string, form: RegExp): string[] {
  return [...text.matchAll(form)].map((found) => found[1]!);
}

test('every query of the dashboard asks for what a gateway shows', () => {
  const problems: string[] = [];
  for (const { title, targets } of panels) {
    for (const { expr, legendFormat } of targets!) {
      const judged = judgeExpression(expr, exposition);
      problems.push(...judged.problems.map((problem) => `${title}: ${problem}`));
      for (const label of findPlaceholders(legendFormat, /\{\{(\w+)\}\}/g)) {
        if (judged.labels?.has(label) !== true) problems.push(`${title}: its result has no label ${label}`);
      }
    }
  }
  for (const { expr } of dashboard.annotations.list) {
    problems.push(...judgeExpression(expr, exposition).problems);
  }
  assert.deepEqual(problems, []);
});

test('the variables of the dashboard are labels of what a gateway shows', () => {
  const variables = dashboard.templating.list;
  assert.deepEqual(
    variables.map(({ name, type }) => [name, type]),
    [
      ['datasource', 'datasource'],
      ['instance', 'query'],
      ['route', 'query'],
      ['shadow', 'query'],
    ],
  );
  for (const { name, query } of variables.slice(1)) {
    const text = typeof query === 'string' ? query : query.query;
    const parts = /^label_values\((.*), (\w+)\)$/.exec(text);
    assert.ok(parts !== null, text);
    const [, selector = '', label = ''] = parts;
    assert.equal(label, name);
    // The values of a counter's labels are asked for, not its value: as a rate it is judged all the same.
    const isCounter = exposition.get(findNames(selector)[0]!)?.type === 'counter';
    const judged = judgeExpression(isCounter ? `rate(${selector}[5m])` : selector, exposition);
    assert.deepEqual(judged.problems, []);
    assert.ok(judged.labels!.has(label), `${selector} has no label ${label}`);
  }
});

test('every alert asks for what a gateway shows, and speaks of labels that it has', () => {
  const problems: string[] = [];
  for (const { alert, expr, annotations } of rules) {
    const judged = judgeExpression(expr, exposition);
    problems.push(...judged.problems.map((problem) => `${alert}: ${problem}`));
    for (const text of Object.values(annotations)) {
      for (const label of findPlaceholders(text, /\$labels\.(\w+)/g)) {
        if (judged.labels?.has(label) !== true) problems.push(`${alert}: its result has no label ${label}`);
      }
    }
  }
  assert.deepEqual(problems, []);
});

test('what is wrong with an expression is found', () => {
  for (const [expr, problem] of [
    ['umbra_nothing', /^no such metric: umbra_nothing$/],
    ['rate(umbra_requests_total[5m', /^not PromQL from/],
    ['umbra_requests_total', /^umbra_requests_total is a counter: bare$/],
    ['rate(umbra_connections[5m])', /^umbra_connections is a gauge: rate$/],
    ['rate(umbra_requests_total)', /^rate needs range/],
    ['max_over_time(umbra_requests_total[5m])', /is a counter: max_over_time$/],
    [
      'sum by (shadow) (rate(umbra_requests_total[5m]))',
      /^no label shadow to group by: class, instance, job, route$/,
    ],
    ['rate(umbra_requests_total{clas="5xx"}[5m])', /^umbra_requests_total has no label clas$/],
    ['rate(umbra_requests_total{class="5XX"}[5m])', /has no class="5XX": 1xx, 2xx, 3xx, 4xx, 5xx$/],
    [
      'rate(umbra_mirror_mismatches_total{kind="any"}[5m]) / rate(umbra_mirror_compared_total[5m])',
      /^sides never meet: instance, job, kind, route, shadow and instance, job, route, shadow$/,
    ],
  ] as const) {
    const { problems } = judgeExpression(expr, exposition);
    assert.equal(problems.length, 1, `${expr}: ${problems}`);
    assert.match(problems[0]!, problem);
  }
  const fine =
    'rate(umbra_mirror_mismatches_total[5m]) / ignoring (kind) rate(umbra_mirror_compared_total[5m])';
  const { problems, labels } = judgeExpression(fine, exposition);
  assert.deepEqual([problems, [...labels!].sort()], [[], ['instance', 'job', 'route', 'shadow']]);
});

test('the dashboard is whole: every panel has its own place, a title, a unit and queries', () => {
  assert.equal(dashboard.uid, 'umbra');
  assert.ok(dashboard.schemaVersion >= 39);
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, 'ids are unique');
  const taken = new Map<string, string>();
  for (const { title, gridPos } of dashboard.panels) {
    assert.ok(title.length > 0);
    const { x, y, w, h } = gridPos;
    assert.ok(w > 0 && h > 0 && x >= 0 && x + w <= COLUMNS, title);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        const place = `${column},${line}`;
        assert.ok(!taken.has(place), `${title} lies over ${taken.get(place)}`);
        taken.set(place, title);
      }
    }
  }
  for (const { title, description, fieldConfig, targets } of panels) {
    assert.ok((description ?? '').length > 0, title);
    assert.ok((fieldConfig?.defaults.unit ?? '').length > 0, title);
    assert.ok(targets!.length > 0, title);
    assert.equal(new Set(targets!.map(({ refId }) => refId)).size, targets!.length, title);
    for (const { datasource } of targets!) {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's form of a variable.
      assert.equal(datasource.uid, '${datasource}', title);
    }
  }
});

test('the alerts are whole: each has a name, a severity, durations, and says what to do', () => {
  for (const group of readRules()) {
    assert.deepEqual(Object.keys(group), ['name', 'rules']);
    assert.ok(group.rules.length > 0, group.name);
  }
  const names = rules.map(({ alert }) => alert);
  assert.equal(new Set(names).size, names.length);
  for (const rule of rules) {
    const { alert, labels, annotations } = rule;
    assert.match(alert, /^Umbra[A-Z][A-Za-z]+$/);
    const known = ['alert', 'expr', 'for', 'labels', 'annotations'];
    assert.deepEqual(
      Object.keys(rule).filter((key) => !known.includes(key)),
      [],
      alert,
    );
    if (rule.for !== undefined) assert.match(rule.for, DURATION, alert);
    assert.deepEqual(Object.keys(labels), ['severity'], alert);
    assert.ok(['critical', 'warning', 'info'].includes(labels.severity!), alert);
    for (const key of ['summary', 'description']) assert.ok((annotations[key] ?? '').length > 0, alert);
    if (annotations.runbook !== undefined) checkRunbook(annotations.runbook);
  }
});

/** A heading of a document of the repository, as its pages are linked to. */
function checkRunbook(link: string): void {
  const [file = '', anchor = ''] = link.split('#');
  const headings = [...read(file).matchAll(/^#+ (.*)$/gm)].map((found) =>
    found[1]!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
  assert.ok(headings.includes(anchor), `${link}: no such heading among ${headings.join(', ')}`);
}
