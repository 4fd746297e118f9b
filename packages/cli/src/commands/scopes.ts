import { parseScope } from '@countersign/delegation';
import { CliError, exitCodes } from '../cli-error.js';

/** The scopes of an option, separated by commas or spaces. Without the option, none. */
export function readScopes(option: string, text: string): string[] {
  if (text.trim() === '') return [];
  const scopes = text.includes(',') ? text.split(',').map((scope) => scope.trim()) : text.trim().split(/\s+/);
  const wrong = scopes.find((scope) => /\s/.test(scope) || !parseScope(scope).ok || scope === '');
  if (wrong === undefined) return scopes;
  const why =
    wrong === ''
      ? 'a scope is empty: a comma too many'
      : `'${wrong}' is not a scope (like pr:write:draft)${spaced(wrong)}`;
  throw new CliError(`${option}: ${why}`, exitCodes.usage);
}

function spaced(scope: string): string {
  return /\s/.test(scope) ? ': separate by commas or by spaces, not by both' : '';
}
