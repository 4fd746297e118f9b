import { SignJWT } from 'jose';

/** The secret by which this application signs and checks the tokens of its own login. */
export const secret: string = process.env['LOGIN_SECRET'] ?? 'a secret for this example alone, of 32 bytes or more';

/** A token of the application's own login: good for a day, on every route. */
export function loginToken(user: string): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user)
    .setIssuedAt()
    .setExpirationTime('1d')
    .sign(new TextEncoder().encode(secret));
}

const baskets = new Map<string, readonly string[]>();

export function basketOf(user: string): { readonly user: string; readonly items: readonly string[] } {
  return { user, items: baskets.get(user) ?? [] };
}

export function emptyBasket(user: string): void {
  baskets.delete(user);
}

export function addToBasket(user: string, body: unknown): ReturnType<typeof basketOf> {
  const item = typeof body === 'object' && body !== null && 'item' in body ? String(body.item) : 'something';
  baskets.set(user, [...basketOf(user).items, item]);
  return basketOf(user);
}

/** The password of every account of this example. */
export const password: string = process.env['LOGIN_PASSWORD'] ?? 'a password for this example alone';

/** The user who signs in with `{ user, password }`; undefined if the password is wrong. */
export function signIn(body: unknown): string | undefined {
  const given = (body ?? {}) as { readonly user?: unknown; readonly password?: unknown };
  return typeof given.user === 'string' && given.password === password ? given.user : undefined;
}
