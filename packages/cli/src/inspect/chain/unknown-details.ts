import { type AuthorizationDetail, unknownMembers } from '@countersign/delegation';
import { show } from '../../text.js';
import type { Credentials } from './credentials.js';

/** Describes a detail, with the reason if it covers nothing. */
export function detailText(detail: AuthorizationDetail): string {
  const unknown = unknownMembers(detail);
  return unknown.length === 0
    ? show(detail)
    : `${show(detail)} [NO] covers nothing: ${show(unknown.join(', '))} unknown`;
}

/** None of these details covers a request, because a guard does not know the meaning of an unknown member. */
export function detailsThatCoverNothing({ token, links }: Credentials): string[] {
  const named = [
    { name: 'The token', details: token?.claims.authorizationDetails },
    ...links.map(({ claims }, index) => ({ name: `Link ${index + 1}`, details: claims.authorizationDetails })),
  ];
  return named.flatMap(({ name, details = [] }) => {
    const unknown = details.map(unknownMembers);
    if (unknown.length === 0 || unknown.some((members) => members.length === 0)) return [];
    const members = [...new Set(unknown.flat())].join(', ');
    return [
      `${name}: its authorization_details cover nothing: they have members that a guard does not know (${members}).`,
    ];
  });
}
