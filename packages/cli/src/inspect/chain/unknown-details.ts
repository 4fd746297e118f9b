import { type AuthorizationDetail, unknownMembers } from '@countersign/delegation';
import { show } from '../../text.js';
import type { Credentials } from './credentials.js';

/** A detail in words, with why it covers nothing, if it does not. */
export function detailText(detail: AuthorizationDetail): string {
  const unknown = unknownMembers(detail);
  return unknown.length === 0
    ? show(detail)
    : `${show(detail)} [NO] covers nothing: ${show(unknown.join(', '))} unknown`;
}

/** Whatever is asked, no detail of these covers it: what a member means that is not known, a guard cannot tell. */
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
