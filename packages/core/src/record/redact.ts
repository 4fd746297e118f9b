import type { AuditApproval, AuditEvent } from '@countersign/audit';
import { makePseudonym, type PseudonymOf } from './pseudonym.js';
import type { Redaction, RedactOptions } from './redact-options.js';

/** Hides the configured values of an event, or of a part of one, before any sink gets it. */
export type Redactor = <Part extends Partial<AuditEvent>>(part: Part) => Part;

/** Replaces an omitted value. */
export const omitted = '[omitted]';

/** `options` as `readRedactOptions` has checked them. */
export function createRedactor(options: RedactOptions | undefined): Redactor {
  if (options === undefined) return (event) => event;
  const { userIds, resourceIds, remoteAddresses, keepPathSegments, pseudonymKey } = options;

  function hide(rule: Redaction, of: PseudonymOf): string {
    return rule === 'pseudonym' ? makePseudonym(pseudonymKey as Uint8Array, of) : omitted;
  }

  function person<Person extends { readonly id: string; readonly type: 'user' | 'agent' }>(one: Person): Person {
    return userIds === undefined || one.type === 'agent' ? one : { ...one, id: hide(userIds, { user: one.id }) };
  }

  function keptOf(path: string): string {
    return keepPathSegments === undefined ? path : cutPath(path, keepPathSegments);
  }

  function resourceOf(resource: NonNullable<AuditEvent['resource']>): NonNullable<AuditEvent['resource']> {
    const { type, id } = resource;
    if (resourceIds !== undefined) return { type, id: hide(resourceIds, { resource }) };
    // With `everyRequest` the resource is the path.
    return type === 'Path' ? { type, id: keptOf(id) } : resource;
  }

  /** The digest of few possible arguments can be guessed, and they may name resources. */
  function callOf({ argumentsDigest, ...rest }: NonNullable<AuditEvent['call']>): NonNullable<AuditEvent['call']> {
    if (argumentsDigest === undefined) return rest;
    if (resourceIds === undefined) return { ...rest, argumentsDigest };
    return { ...rest, argumentsDigest: hide(resourceIds, { resource: { type: 'Arguments', id: argumentsDigest } }) };
  }

  /** Its binding is a digest, too, also of the path, and an approver may quote in the reason what must be hidden. */
  function approvalOf({ binding, approvers, ...rest }: AuditApproval): AuditApproval {
    const rule = resourceIds ?? userIds ?? (keepPathSegments === undefined ? undefined : 'omit');
    return {
      ...rest,
      binding: rule === undefined ? binding : hide(rule, { resource: { type: 'Approval', id: binding } }),
      ...(approvers && {
        approvers: approvers.map(({ reason: _mayQuote, id, ...approver }) => ({
          ...approver,
          id: person({ id, type: 'user' }).id,
        })),
      }),
    };
  }

  function requestOf({ remoteAddress, path, ...rest }: AuditEvent['request']): AuditEvent['request'] {
    const from =
      remoteAddress === undefined || remoteAddresses === undefined
        ? remoteAddress
        : hide(remoteAddresses, { remoteAddress });
    return {
      ...rest,
      ...(path !== undefined && { path: keptOf(path) }),
      ...(from !== undefined && { remoteAddress: from }),
    };
  }

  function redact({ detail: _mayQuote, ...part }: Partial<AuditEvent>) {
    const { subject, chain, resource, filtered, approval, request, call, ...rest } = part;
    return {
      ...rest,
      ...(subject && { subject: person(subject) }),
      ...(chain && { chain: chain.map(person) }),
      ...(resource && { resource: resourceOf(resource) }),
      ...(filtered && { filtered: { ...filtered, resources: filtered.resources.map(resourceOf) } }),
      ...(approval && { approval: approvalOf(approval) }),
      ...(request && { request: requestOf(request) }),
      ...(call && { call: callOf(call) }),
    };
  }
  return redact as Redactor;
}

/** The first segments, as on the request line. An empty segment counts, so that `//` cannot reveal a later one. */
function cutPath(path: string, segments: number): string {
  const [before = '', ...all] = path.split('/');
  // Without a leading slash it is not a path: all of it may be what must be hidden.
  if (before !== '') return omitted;
  if (all.length <= segments) return path;
  return ['', ...all.slice(0, segments), '…'].join('/');
}
