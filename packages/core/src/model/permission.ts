import { checkOptionNames } from '@countersign/common';
import type { PolicyDecision, Resource } from '@countersign/policy';
import type { Refusal } from './refusal.js';

/** Undefined: there is no such resource. The answer is then that of a denial, so that absent and forbidden look alike. */
export type MaybeResource = Resource | undefined;

/** Thrown in place of it: why there is none, for the log. The message quotes no value. */
export class NoSuchResource extends Error {
  override readonly name = 'NoSuchResource';
}

export type ResourceFunction = () => MaybeResource | Promise<MaybeResource>;

/** What a route asks permission for. */
export interface Permission {
  /** The Cedar action, like `pr.create`. */
  readonly action: string;
  /** Or a function that determines it, bounded by `lookupTimeoutSeconds`. */
  readonly resource: Resource | ResourceFunction;
  /** The scope that the caller must hold besides policy's consent; several are separated by spaces. */
  readonly requires?: string;
}

const permissionNames = ['action', 'resource', 'requires'] as const satisfies readonly (keyof Permission)[];

/** A misspelt `requires` would demand no scope. @throws ConfigError */
export function checkPermissionNames(owner: string, permission: Permission): void {
  checkOptionNames(owner, permission, permissionNames);
}

export type Authorization =
  | {
      readonly ok: true;
      readonly decision: PolicyDecision;
      /** Only of a guard that observes: it would have refused this. Then nothing permits the caller to act as its subject. */
      readonly wouldRefuse?: Refusal;
    }
  | { readonly ok: false; readonly refusal: Refusal };
