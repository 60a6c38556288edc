// Secrets in written configs: references to the environment, never the values.
//
// Owns the names of the variables. One secret has one name, however often it occurs.

import { Reference } from './yaml-text.ts';

export class Secrets {
  readonly #names = new Map<string, string>();

  /** `name` is what its kind of secret is called, such as REDIS_PASSWORD. */
  refer(name: string, value: string): Reference {
    const key = `${name}\0${value}`;
    const number = [...this.#names.keys()].filter((other) => other.startsWith(`${name}\0`)).length + 1;
    const variable = this.#names.get(key) ?? `UMBRA_${name}_${number}`;
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
