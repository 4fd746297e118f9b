// The primes by which the flawed generator gives itself away: for a random modulus the chance to pass all is 2^-27.
const tellingPrimes = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/**
 * Whether an RSA modulus has the fingerprint of ROCA (CVE-2017-15361): keys made by certain smart cards and TPMs, which
 * can be factored. Their primes, so also their modulus, are powers of 65537 modulo many small primes.
 */
export function hasRocaFingerprint(modulus: bigint): boolean {
  return tellingPrimes.every((prime) => powersOf65537(prime).has(Number(modulus % BigInt(prime))));
}

function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * 65_537) % prime) powers.add(power);
  return powers;
}
