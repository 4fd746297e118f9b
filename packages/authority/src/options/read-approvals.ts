import { checkOptionNames, ConfigError, integerOption, isJsonObject, secureUrl } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import type {
  ApprovalOptions,
  ChannelOptions,
  ExternalIssuerOptions,
  SignInOptions,
  UserOptions,
} from './authority-options.js';

export interface ApprovalSettings {
  /** Subjects by group. */
  readonly groups: ReadonlyMap<string, ReadonlySet<string>>;
  readonly denials: number;
  readonly breakGlass: ReadonlySet<string>;
  readonly channels: readonly ChannelOptions[];
}

const owner = "createAuthority, 'approvals'";

/** @throws ConfigError */
export function readApprovals(
  options: ApprovalOptions,
  users: UserOptions | undefined,
  externalIssuers: readonly ExternalIssuerOptions[],
): ApprovalSettings {
  checkOptionNames(owner, options, ['groups', 'denials', 'breakGlass', 'channels']);
  if (users === undefined) throw wrong("needs 'users' besides: without a sign-in nobody can approve");
  checkNames(users.signIn, externalIssuers);
  const { groups = {}, denials = 1, breakGlass = [], channels = [] } = options;
  if (!isJsonObject(groups)) throw wrong("'groups' must be an object like { 'release-managers': ['user:alice'] }");
  const members = Object.entries(groups).map(([name, subjects]) => {
    if (!isIdentifier(name)) throw wrong('the name of a group must not be empty, nor have control characters');
    return [name, new Set(listOfNames(`'groups', '${name}'`, subjects))] as const;
  });
  if (!Array.isArray(channels)) throw wrong("'channels' must be a list");
  const read = channels.map(readChannel);
  if (new Set(read.map(({ name }) => name)).size !== read.length) throw wrong("'channels' has two of one name");
  return {
    groups: new Map(members),
    denials: integerOption(owner, 'denials', denials, 1, 10),
    breakGlass: new Set(listOfNames("'breakGlass'", breakGlass)),
    channels: read,
  };
}

/** With two names, a person could approve what an agent does for them although policy excludes its subject. */
function checkNames(signIn: SignInOptions | undefined, externalIssuers: readonly ExternalIssuerOptions[]): void {
  // The provider may be found by another spelling than that of its tokens, as with Auth0 and its slash.
  const same = externalIssuers.find(({ issuer }) => signIn !== undefined && spelt(issuer) === spelt(signIn.issuer));
  if (signIn === undefined || same === undefined || same.subjectNamespace === signIn.subjectNamespace) return;
  throw wrong(
    `people of '${signIn.issuer}' would have two names, '${signIn.subjectNamespace}…' when they approve and '${same.subjectNamespace}…' in exchanged tokens, so that excluding the subject excludes nobody. Give 'signIn' and 'externalIssuers' one 'subjectNamespace', and by 'subjectClaim' the claims with the same value`,
  );
}

function spelt(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).href : issuer;
}

function readChannel(channel: ChannelOptions): ChannelOptions {
  const { type } = channel;
  const isMail = type === 'email';
  checkOptionNames(`${owner}, 'channels'`, channel, [
    'type',
    'name',
    'groups',
    ...(isMail ? Object.keys({ smtp: true, from: true, to: true }) : ['url']),
  ]);
  const { name, groups } = channel;
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
    throw wrong("each of 'channels' needs a 'name' of letters, digits, '.', '_' and '-'");
  }
  if (!isMail && !['webhook', 'slack', 'teams'].includes(type)) {
    throw wrong(`channel '${name}': 'type' must be webhook, slack, teams or email`);
  }
  if (groups !== undefined) listOfNames(`channel '${name}', 'groups'`, groups);
  if (channel.type !== 'email') {
    const url = secureUrl(channel.url, 'loopback');
    if (!url.ok || url.url.username !== '' || url.url.hash !== '') {
      throw wrong(`channel '${name}': 'url' must be an https URL without user and fragment (http on loopback only)`);
    }
    return channel;
  }
  const { smtp }: { readonly smtp: unknown } = channel;
  if (typeof smtp !== 'string' || !/^smtps?:\/\/[^\s/]+\/?$/.test(smtp) || !URL.canParse(smtp)) {
    throw wrong(`channel '${name}': 'smtp' must be like smtps://user:password@mail.acme.dev`);
  }
  if (!isAddress(channel.from)) throw wrong(`channel '${name}': the sender must be an e-mail address`);
  if (!Array.isArray(channel.to) || channel.to.length === 0 || !channel.to.every(isAddress)) {
    throw wrong(`channel '${name}': 'to' must list e-mail addresses`);
  }
  return channel;
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && /^[^\s<>@,;"]{1,64}@[^\s<>@,;"]{1,255}$/.test(value);
}

function listOfNames(what: string, list: unknown): readonly string[] {
  if (Array.isArray(list) && list.every(isIdentifier)) return list;
  throw wrong(`${what} must be a list of names`);
}

function wrong(detail: string): ConfigError {
  return new ConfigError(`${owner}: ${detail}.`);
}
