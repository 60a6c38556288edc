// What the tests of the rewritten forms share: a text → its resources, problems and notices, as their author reads them.

import { rewriteAdc } from '../../../src/config/apisix/adc.ts';
import { rewriteKubernetes } from '../../../src/config/apisix/kubernetes.ts';
import { type DocumentTree, Places, type Resource } from '../../../src/config/apisix/resource.ts';
import { DOUBLE_SYNTAX } from '../../../src/config/environment.ts';
import { formatProblem } from '../../../src/config/problem.ts';
import { Report } from '../../../src/config/report.ts';
import { readDocuments, type Tree } from '../../../src/config/source.ts';

export interface Rewritten {
  readonly resources: readonly Resource[];
  readonly problems: readonly string[];
  readonly notices: readonly string[];
  readonly places: Places;
  /** `line:column` of what `path` leads to in the value of the resource with that id. */
  locate(id: string, ...path: readonly (string | number)[]): string;
}

type Rewrite = typeof rewriteAdc;

function rewrite(texts: readonly string[], form: Rewrite, environment: NodeJS.ProcessEnv): Rewritten {
  const places = new Places();
  const reports: Report[] = [];
  const documents = texts.flatMap((text, index): DocumentTree[] => {
    const whole = new Report(texts.length === 1 ? 'test.yaml' : `test-${index}.yaml`, null);
    reports.push(whole);
    return readDocuments(text, environment, whole).map(({ source, report, tree }) => {
      reports.push(report);
      source.expand(tree, DOUBLE_SYNTAX, () => true, report);
      places.noteTree(tree, report);
      return { tree: tree as Tree, report, path: [] };
    });
  });
  const notices: string[] = [];
  const resources = form(documents, {
    places,
    addNotice: ({ report, path }, message) => {
      notices.push(formatProblem(report.describe({ path, rule: 'not_served', message })));
    },
  });
  return {
    resources,
    problems: reports.flatMap((report) => report.list()).map(formatProblem),
    notices,
    places,
    locate: (id, ...path) => {
      const place = places.find(resources.find((resource) => resource.id === id)!.value, path)!;
      const { line, column } = place.report.describe({ path: place.path, rule: 'type', message: '' });
      return `${line}:${column}`;
    },
  };
}

export function rewriteManifests(
  text: string | readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Rewritten {
  const together: Rewrite = (documents, context) => rewriteKubernetes([documents], context);
  return rewrite(typeof text === 'string' ? [text] : text, together, environment);
}

export function rewriteAdcFile(
  text: string | readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Rewritten {
  return rewrite(typeof text === 'string' ? [text] : text, rewriteAdc, environment);
}

/** Without prototypes, as the assertions compare them. */
export function toPlain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

export function readValue(rewritten: Rewritten, id: string): unknown {
  return toPlain(rewritten.resources.find((resource) => resource.id === id)?.value);
}
