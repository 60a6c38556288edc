// `${NAME}` and `${NAME:-default}` in the text of a scalar; `${{NAME}}` and `${{NAME:=default}}` are how APISIX writes them.
//
// Owns the syntax and what it becomes. A value from the environment is only ever the text of the scalar it stands
// in: it can never add a key, a list entry or a line to the file.

/** One thing that is wrong with the text, by its offset in it. */
export interface EnvironmentProblem {
  readonly at: number;
  readonly message: string;
}

export interface Expansion {
  readonly text: string;
  readonly problems: readonly EnvironmentProblem[];
}

const REFERENCE =
  /\$\$\{|\$\{\{ *([A-Za-z_][A-Za-z0-9_]*)(?::=([^}]*?))? *\}\}|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g;

export function hasReference(text: string): boolean {
  return text.includes('${');
}

/** As in a shell, `:-` also stands in for a variable that is set but empty. `$${` is a literal `${`. */
export function expandEnvironment(text: string, environment: NodeJS.ProcessEnv): Expansion {
  const problems: EnvironmentProblem[] = [];
  const expanded = text.replace(REFERENCE, (match, ...found: (string | undefined)[]) => {
    const [doubleName, doubleFallback, singleName, singleFallback] = found;
    const name = doubleName ?? singleName;
    const fallback = doubleFallback ?? singleFallback;
    const at = Number(found[4]);
    if (match === '$${') return '${';
    if (name === undefined) {
      problems.push({
        at,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text that is meant.
        message: 'must be ${NAME} or ${NAME:-default}, or $${ for a literal ${',
      });
      return match;
    }
    const value = environment[name];
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
    if (value !== undefined) return value;
    problems.push({ at, message: `the environment has no ${name}, and it has no default` });
    return match;
  });
  return { text: expanded, problems };
}

/** What an unquoted scalar of this text would be in YAML's core schema, as far as umbra's keys can use it. */
export function toTypedScalar(text: string): string | number | boolean {
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) return Number(text);
  return text;
}
