import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type CertificateAuthority,
  certificateAuthority,
  type CertificateChange,
  der,
  extension,
  type IssuedCertificate,
  oid,
  sequence,
  trustDomain,
} from '../../../test/support/trust-domain.js';
import { readX509Svid, verifyX509Svid } from '../src/x509-svid.js';

const now = Math.floor(Date.now() / 1000);
const domain = trustDomain();
const id = domain.id('/agent/a');

function certificates(list: readonly CertificateAuthority[]): readonly X509Certificate[] {
  return list.map(({ certificate }) => certificate);
}

/** Verifies a certificate by these authorities, or by the authorities of the domain. Undefined: it counts. */
function problem(
  { certificate: leaf }: Pick<IssuedCertificate, 'certificate'>,
  others: readonly CertificateAuthority[] = [],
  authorities: readonly CertificateAuthority[] = [domain.ca],
): string | undefined {
  const verified = verifyX509Svid({ leaf, others: certificates(others) }, certificates(authorities), now);
  return verified.ok ? undefined : verified.problem;
}

function below(parent: CertificateAuthority, change: CertificateChange = {}): CertificateAuthority {
  return certificateAuthority('example.org', parent, change);
}

function root(change: CertificateChange): CertificateAuthority {
  return certificateAuthority('example.org', undefined, change);
}

/** nameConstraints (RFC 5280 §4.2.1.10): names that are permitted and excluded, with their tags. */
function constraints(permitted: readonly (readonly [number, string])[], excluded: typeof permitted = []): Buffer {
  const subtrees = (names: typeof permitted) => names.map(([tag, name]) => sequence(der(tag, Buffer.from(name))));
  return extension(
    [0x55, 0x1d, 0x1e],
    sequence(
      ...(permitted.length > 0 ? [der(0xa0, ...subtrees(permitted))] : []),
      ...(excluded.length > 0 ? [der(0xa1, ...subtrees(excluded))] : []),
    ),
  );
}

const [uri, dns, directory] = [0x86, 0x82, 0xa4];
const usedFor = (last: number): Buffer => extension([0x55, 0x1d, 0x25], sequence(oid(0x2b, 6, 1, 5, 5, 7, 3, last)));

describe('the path of an X.509-SVID', () => {
  it('leads over authorities to one of its trust domain, in any order', () => {
    const upper = below(domain.ca);
    const lower = below(upper);
    const svid = lower.issue({ uris: [id] });
    expect(problem(svid, [upper, lower])).toBeUndefined();
    expect(problem(svid, [lower, domain.ca, upper])).toBeUndefined();
    expect(problem(svid, [lower], [upper])).toBeUndefined();
    expect(problem(svid, [lower])).toBe('no authority of its trust domain issued it');
  });

  it('is found beside authorities of the same name, in any order [Q4]', () => {
    const { subject } = domain.ca;
    const namesakes = [root({ commonName: subject }), root({ commonName: subject })];
    const svid = domain.ca.issue({ uris: [id] });
    expect(problem(svid, [], [...namesakes, domain.ca])).toBeUndefined();
    expect(problem(svid, [], [domain.ca, ...namesakes])).toBeUndefined();
    expect(problem(svid, namesakes)).toBeUndefined();
    expect(problem(svid, [domain.ca], namesakes)).toBe('no authority of its trust domain issued it');
  });

  it('ends with the first of its certificates that ends', () => {
    const until = (authority: Date, leaf: Date) => {
      const ca = root({ notAfter: authority });
      const { certificate } = ca.issue({ uris: [id], notAfter: leaf });
      return verifyX509Svid({ leaf: certificate, others: [] }, [ca.certificate], now);
    };
    const [sooner, later] = [600, 1200].map((seconds) => new Date((now + seconds) * 1000)) as [Date, Date];
    expect(until(sooner, later)).toEqual({ ok: true, value: now + 600 });
    expect(until(later, sooner)).toEqual({ ok: true, value: now + 600 });
    const [early, late] = [new Date('0049-01-01'), new Date('2050-01-01')];
    expect(until(later, early)).toEqual({ ok: false, problem: 'it is not valid now' });
    expect(until(late, late)).toEqual({ ok: true, value: late.getTime() / 1000 });
    const over = new Date((now - 10) * 1000);
    expect(until(over, later)).toEqual({ ok: false, problem: 'an authority above it is not valid now' });
    expect(until(later, over)).toEqual({ ok: false, problem: 'it is not valid now' });
  });

  it('goes around a certificate of an authority that has expired, or that a stranger issued', () => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const same = { commonName: 'lower', keys };
    const expired = below(domain.ca, { ...same, notAfter: new Date((now - 10) * 1000) });
    const strange = below(trustDomain().ca, same);
    const svid = expired.issue({ uris: [id] });
    expect(problem(svid, [expired])).toBe('an authority above it is not valid now');
    expect(problem(svid, [strange])).toBe('no authority of its trust domain issued it');
    expect(problem(svid, [expired, strange, below(domain.ca, same)])).toBeUndefined();
  });

  it('has no more authorities than one above allows [Q4]', () => {
    const ca = root({ pathLength: 1 });
    const upper = below(ca, { pathLength: 5 });
    const lower = below(upper);
    expect(problem(upper.issue({ uris: [id] }), [upper], [ca])).toBeUndefined();
    expect(problem(lower.issue({ uris: [id] }), [upper, lower], [ca])).toContain('too many authorities');
    const closed = below(domain.ca, { pathLength: 0 });
    const beyond = below(closed, { commonName: closed.subject });
    expect(problem(closed.issue({ uris: [id] }), [closed])).toBeUndefined();
    expect(problem(beyond.issue({ uris: [id] }), [closed, beyond])).toContain('too many authorities');
  });

  it.each<[string, Buffer, boolean]>([
    ['our trust domain', constraints([[uri, 'example.org']]), true],
    ['our trust domain, in capitals', constraints([[uri, 'EXAMPLE.org']]), true],
    ['another trust domain', constraints([[uri, 'other.org']]), false],
    [
      'another trust domain, and ours',
      constraints([
        [uri, 'other.org'],
        [uri, 'example.org'],
      ]),
      true,
    ],
    ['what is below our trust domain', constraints([[uri, '.example.org']]), false],
    ['what is below another one', constraints([[uri, '.org']]), true],
    ['no trust domain', constraints([[uri, '']]), false],
    ['all but another trust domain', constraints([], [[uri, 'other.org']]), true],
    ['all but ours', constraints([], [[uri, 'example.org']]), false],
    ['nothing', constraints([], [[uri, '']]), false],
    ['the names of hosts that it has', constraints([[dns, 'acme.dev']]), true],
    ['the names of other hosts', constraints([[dns, 'other.dev']]), false],
    ['names of hosts but its own', constraints([], [[dns, 'acme.dev']]), false],
    ['names of a form that is not known here', constraints([[directory, '0\0']]), false],
  ])('has names that an authority above may issue: one that allows %s [Q4]', (_what, more, allowed) => {
    const leaf = { uris: [id], dns: ['api.acme.dev'] };
    const lower = below(domain.ca, { uris: [], more: [more] });
    const anchor = root({ more: [more] });
    const found = [problem(lower.issue(leaf), [lower]), problem(anchor.issue(leaf), [], [anchor])];
    expect(found.map((each) => each === undefined)).toEqual([allowed, allowed]);
    if (!allowed) expect(found[0]).toBe('an authority may not issue a name of it');
  });

  it('has names that each authority above may issue, for authorities between too [Q4]', () => {
    const upper = below(domain.ca, { more: [constraints([[uri, 'example.org']])] });
    const lower = certificateAuthority('other.org', upper);
    expect(problem(lower.issue({ uris: [id] }), [upper, lower])).toBe('an authority may not issue a name of it');
  });

  it('leads over no authority that bears the SPIFFE ID of another trust domain, also below one root [Q4]', () => {
    const leaf = { uris: [id] };
    const [ours, theirs] = [below(domain.ca), certificateAuthority('partner.org', domain.ca)];
    expect(problem(ours.issue(leaf), [ours])).toBeUndefined();
    expect(problem(theirs.issue(leaf), [theirs])).toBe('an authority above it is of another trust domain');
    const plain = below(domain.ca, { uris: [] });
    expect(problem(plain.issue(leaf), [plain])).toBeUndefined();
  });

  it.each(['spiffe://partner.org/', 'spiffe://PARTNER.org', 'SPIFFE://partner.org', 'spiffe://partner.org:443'])(
    'leads over no authority that bears %s, which is no SPIFFE ID [Q4]',
    (name) => {
      const theirs = below(domain.ca, { uris: [name] });
      const found = problem(theirs.issue({ uris: [id] }), [theirs]);
      expect(found).toBe('an authority above it is of another trust domain');
    },
  );

  it('is refused when names would be compared with constraints more than 10,000 times [A14]', () => {
    const excluded = Array.from({ length: 100 }, (_, index) => [dns, `${index}.example`] as const);
    const lower = below(domain.ca, { more: [constraints([], excluded)] });
    // With its subject and its URI, a certificate has two names more.
    const [most, tooMany] = [98, 99].map((length) =>
      lower.issue({ uris: [id], dns: Array.from({ length }, () => 'a.acme.dev') }),
    ) as [IssuedCertificate, IssuedCertificate];
    expect(problem(most, [lower])).toBeUndefined();
    expect(problem(tooMany, [lower])).toBe('it has too many names and constraints on them');
  });

  it('consists of certificates that may do so by their extensions [Q4]', () => {
    const unknown = extension([0x55, 0x1d, 0x24], sequence());
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const leaf = { uris: [id] };
    const refused: [IssuedCertificate, CertificateAuthority[], string][] = [
      [domain.ca.issue({ ...leaf, more: [usedFor(1)] }), [], 'it is not for clients of TLS'],
      [domain.ca.issue({ ...leaf, more: [unknown] }), [], 'a critical extension that is not known here'],
      [domain.ca.issue({ ...leaf, keyUsage: [5, 0x20] }), [], 'its key may not sign'],
      [domain.ca.issue({ ...leaf, keyUsage: [2, 0x84] }), [], 'it is the certificate of an authority'],
      [domain.ca.issue({ ...leaf, hash: 'sha1' }), [], 'it is signed with a weak hash'],
      [domain.ca.issue({ ...leaf, keys: weak }), [], 'its key is weak'],
    ];
    for (const more of [[usedFor(1)], [unknown], [constraints([]), constraints([])]]) {
      const lower = below(domain.ca, { more });
      refused.push([lower.issue(leaf), [lower], '']);
      const anchor = root({ more });
      expect(problem(anchor.issue(leaf), [], [anchor])).toBeDefined();
    }
    for (const [svid, others, why] of refused) expect(problem(svid, others)).toContain(why);
    const mayNotIssue = below(domain.ca, { keyUsage: [7, 0x80] });
    expect(problem(mayNotIssue.issue(leaf), [mayNotIssue])).toBe('no authority of its trust domain issued it');
    const both = extension([0x55, 0x1d, 0x25], sequence(...[1, 2].map((last) => oid(0x2b, 6, 1, 5, 5, 7, 3, last))));
    const lower = below(domain.ca, { more: [both] });
    expect(problem(lower.issue({ ...leaf, more: [both] }), [lower])).toBeUndefined();
  });

  it('is refused when all of its certificates are made by a stranger and bear the name of our authority [Q4]', () => {
    const { subject } = domain.ca;
    const forged = Array.from({ length: 8 }, () => root({ commonName: subject }));
    const svid = forged[0]?.issue({ uris: [id] }) as IssuedCertificate;
    expect(problem(svid, forged)).toBe('no authority of its trust domain issued it');
  });

  it('is refused and throws nothing when a key above it cannot be read [A16]', () => {
    const { raw } = domain.ca.certificate;
    const at = raw.indexOf(Buffer.from('2a8648ce3d0201', 'hex'));
    const unreadable = new X509Certificate(
      Buffer.concat([raw.subarray(0, at + 6), Buffer.from([9]), raw.subarray(at + 7)]),
    );
    const { certificate: leaf } = domain.ca.issue({ uris: [id] });
    expect(verifyX509Svid({ leaf, others: [] }, [unreadable], now).ok).toBe(false);
  });

  it('is refused and throws nothing whatever byte of its certificates is another one [A16]', () => {
    const lower = below(domain.ca, { more: [constraints([[uri, 'example.org']])], pathLength: 0 });
    const leaf = lower.issue({ uris: [id] }).certificate;
    for (const [index, authority] of [domain.ca.certificate, lower.certificate, leaf].entries()) {
      for (let at = 0; at < authority.raw.length; at += 1) {
        const raw = Buffer.from(authority.raw);
        raw[at] = (raw[at] ?? 0) ^ 0x41;
        let changed: X509Certificate;
        try {
          changed = new X509Certificate(raw);
        } catch {
          continue;
        }
        const chain = { leaf: index === 2 ? changed : leaf, others: [index === 1 ? changed : lower.certificate] };
        const verified = verifyX509Svid(chain, [index === 0 ? changed : domain.ca.certificate], now);
        // The authority itself is believed, whatever its signature and its other names.
        if (index > 0) expect(verified.ok).toBe(false);
      }
    }
  });
});

function isRead(change: CertificateChange): boolean {
  return readX509Svid(domain.ca.issue(change).certificate).ok;
}

function altNames(name: Buffer): Buffer {
  return extension([0x55, 0x1d, 0x11], sequence(name));
}

describe('an X.509-SVID', () => {
  it('has one SPIFFE ID, of a workload, and is no certificate of an authority', () => {
    expect([isRead({ uris: [id] }), isRead({ uris: [id], dns: ['api.acme.dev'] })]).toEqual([true, true]);
    const wrong = [
      { uris: [id, id] },
      { uris: [`${id} `] },
      {},
      { uris: ['spiffe://example.org'] },
      { uris: [id], isCa: true },
    ];
    expect(wrong.map(isRead)).toEqual([false, false, false, false, false]);
  });

  it('has its SPIFFE ID in a URI, not within another name, and not in a spelling that is no DER [Q4]', () => {
    expect(isRead({ dns: [`a, URI:${id}`] })).toBe(false);
    const text = Buffer.from(id);
    const spellings = [
      der(uri, text),
      der(0xa6, der(0x16, text)),
      der(0xa6, der(4, text.subarray(0, 9)), der(4, text.subarray(9))),
      Buffer.concat([Buffer.from([0x9f, 0x06, text.length]), text]),
    ];
    expect(spellings.map((name) => isRead({ more: [altNames(name)] }))).toEqual([true, false, false, false]);
    const limited = below(domain.ca, { more: [constraints([], [[uri, 'example.org']])] });
    const verified = spellings.map((name) => problem(limited.issue({ more: [altNames(name)] }), [limited]));
    expect(verified).not.toContain(undefined);
  });

  it('has authorities whose constraints are in DER [Q4]', () => {
    const limited = below(domain.ca, { more: [constraints([], [[0xa6, '\u0016\u000bexample.org']])] });
    expect(problem(limited.issue({ uris: [id] }), [limited])).toContain('is no DER');
  });
});
