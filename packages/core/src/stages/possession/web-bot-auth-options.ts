import { checkOptionNames, ConfigError, guardDefaults, integerOption } from '@countersign/common';

/** How Web Bot Auth signatures are accepted. They say who a request is from, and bind little else. */
export interface WebBotAuthOptions {
  /** Oldest signature accepted, in seconds. Default 300. */
  readonly maxAgeSeconds?: number;
  /**
   * `policy`: methods other than GET, HEAD, OPTIONS and QUERY are put to policy too, if the signature covers all that
   * our own profile asks for. Default: they are refused.
   */
  readonly unsafeMethods?: 'policy';
}

export interface WebBotAuthSettings {
  readonly maxAgeSeconds: number;
  readonly unsafeMethods: boolean;
}

/** @throws ConfigError when an option is wrong. */
export function readWebBotAuthOptions(
  webBotAuth: true | WebBotAuthOptions | undefined,
): WebBotAuthSettings | undefined {
  if (webBotAuth === undefined) return undefined;
  if (webBotAuth !== true && (typeof webBotAuth !== 'object' || webBotAuth === null)) {
    throw new ConfigError(
      "createGuard: 'webBotAuth' must be true or an object of options; leave it out to accept none.",
    );
  }
  const options: WebBotAuthOptions = webBotAuth === true ? {} : webBotAuth;
  checkOptionNames("createGuard: 'webBotAuth'", options, ['maxAgeSeconds', 'unsafeMethods']);
  const { maxAgeSeconds = guardDefaults.webBotAuthMaxAgeSeconds, unsafeMethods } = options;
  integerOption('createGuard', 'webBotAuth.maxAgeSeconds', maxAgeSeconds, 1, 86_400);
  if (unsafeMethods !== undefined && unsafeMethods !== 'policy') {
    throw new ConfigError("createGuard: 'webBotAuth.unsafeMethods' must be 'policy', or be left out.");
  }
  return { maxAgeSeconds, unsafeMethods: unsafeMethods === 'policy' };
}
