// Secrets in written configs: references to the environment, never the values.
//
// Owns the names of the variables. One secret has one name, however often it occurs.

import { Reference } from './yaml-text.ts';

export class Secrets {
  readonly #names = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** `name` is what its kind of secret is called, such as REDIS_PASSWORD. */
  refer(name: string, value: string): Reference {
    const key = `${name}\0${value}`;
    const known = this.#names.get(key);
    if (known !== undefined) return new Reference(`\${${known}}`);
    const number = (this.#counts.get(name) ?? 0) + 1;
    const variable = `UMBRA_${name}_${number}`;
    this.#counts.set(name, number);
    this.#names.set(key, variable);
    return new Reference(`\${${variable}}`);
  }

  /** The environment with which what was written means what it meant. */
  toEnvironment(): NodeJS.ProcessEnv {
    const pairs = [...this.#names].map(([key, variable]) => [variable, key.slice(key.indexOf('\0') + 1)]);
    return Object.fromEntries(pairs);
  }

  get variables(): readonly string[] {
    return [...this.#names.values()];
  }
}
