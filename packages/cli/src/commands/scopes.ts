import { parseScope } from '@countersign/delegation';
import { CliError, exitCodes } from '../cli-error.js';

/** The scopes that an option names, separated by spaces or commas. */
export function readScopes(option: string, text: string): string[] {
  const scopes = text.split(/[\s,]+/).filter((scope) => scope !== '');
  const wrong = scopes.find((scope) => !parseScope(scope).ok);
  if (wrong === undefined) return scopes;
  throw new CliError(`${option}: '${wrong}' is not a scope (like pr:write:draft)`, exitCodes.usage);
}
