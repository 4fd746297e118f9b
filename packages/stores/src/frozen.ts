import { checkOptionNames, ConfigError } from '@countersign/common';
import type { Revocable } from '@countersign/core';

/**
 * What can be frozen: stopped at once, until somebody says otherwise. Apart from revocations: to unfreeze takes back none.
 * A tenant is an issuer, or a `subjectNamespace` with all users and agents whose ids begin with it.
 */
export type Freezable = { readonly agent: string } | { readonly tenant: string } | { readonly everything: true };

const forms = "{ agent: 'agent-1' }, { tenant: 'acme:' }, { tenant: 'https://id.acme.dev' } or { everything: true }";

/**
 * The name under which a store keeps it. None is that of a revocation.
 *
 * @throws ConfigError if it does not say clearly what.
 */
export function frozenName(owner: string, given: Freezable): string {
  checkOptionNames(owner, given, ['agent', 'tenant', 'everything']);
  const [[kind, what] = [], ...others] = Object.entries(given ?? {});
  if (others.length === 0 && kind === 'everything' && what === true) return everything;
  const isText = typeof what === 'string' && /^[^\p{C}\p{Z}]{1,2048}$/u.test(what);
  if (others.length > 0 || kind === 'everything' || !isText) throw new ConfigError(`${owner}: write ${forms}.`);
  return JSON.stringify(['frozen', kind, what]);
}

const everything = JSON.stringify(['frozen']);

/** What is frozen, by the names that a store keeps. */
export class Frozen {
  readonly #tenants = new Set<string>();
  readonly #names = new Set<string>();

  /** @returns false if it is the name of a revocation. */
  set(name: string, isFrozen: boolean): boolean {
    if (!name.startsWith('["frozen"')) return false;
    const [, kind, what] = JSON.parse(name) as readonly string[];
    const [set, value] = kind === 'tenant' && what !== undefined ? [this.#tenants, what] : [this.#names, name];
    if (isFrozen) set.add(value);
    else set.delete(value);
    return true;
  }

  find(named: readonly Revocable[]): Revocable | undefined {
    if (this.#names.has(everything)) return named[0];
    if (this.#names.size === 0 && this.#tenants.size === 0) return undefined;
    return named.find((one) => this.#has(one));
  }

  clear(): void {
    this.#tenants.clear();
    this.#names.clear();
  }

  names(): readonly string[] {
    return [...this.#names, ...[...this.#tenants].map((tenant) => JSON.stringify(['frozen', 'tenant', tenant]))];
  }

  #has(one: Revocable): boolean {
    if ('agent' in one && this.#names.has(JSON.stringify(['frozen', 'agent', one.agent]))) return true;
    if (this.#tenants.size === 0) return false;
    if ('issuer' in one && one.issuer !== undefined && this.#tenants.has(one.issuer)) return true;
    const id = 'agent' in one ? one.agent : 'subject' in one ? one.subject : undefined;
    return id !== undefined && [...this.#tenants].some((tenant) => id.startsWith(tenant));
  }
}
