/** Which addresses our own requests may go to. Private ranges are refused unless the policy lists them. */
export interface EgressPolicy {
  /** `host:port` as configured, for instance `127.0.0.1:9090`: these may be private. */
  allow: string[];
}

/** IPv4 and IPv6 ranges that are not the public internet (RFC 6890 and the metadata address inside 169.254/16). */
export const privateRanges: readonly { net: string; prefix: number; family: 'ipv4' | 'ipv6' }[] = [
  { net: '0.0.0.0', prefix: 8, family: 'ipv4' }, { net: '10.0.0.0', prefix: 8, family: 'ipv4' },
  { net: '100.64.0.0', prefix: 10, family: 'ipv4' }, { net: '127.0.0.0', prefix: 8, family: 'ipv4' },
  { net: '169.254.0.0', prefix: 16, family: 'ipv4' }, { net: '172.16.0.0', prefix: 12, family: 'ipv4' },
  { net: '192.0.0.0', prefix: 24, family: 'ipv4' }, { net: '192.0.2.0', prefix: 24, family: 'ipv4' },
  { net: '192.168.0.0', prefix: 16, family: 'ipv4' }, { net: '198.18.0.0', prefix: 15, family: 'ipv4' },
  { net: '198.51.100.0', prefix: 24, family: 'ipv4' }, { net: '203.0.113.0', prefix: 24, family: 'ipv4' },
  { net: '224.0.0.0', prefix: 3, family: 'ipv4' },
  { net: '::', prefix: 127, family: 'ipv6' }, { net: '64:ff9b::', prefix: 96, family: 'ipv6' },
  { net: 'fc00::', prefix: 7, family: 'ipv6' }, { net: 'fe80::', prefix: 10, family: 'ipv6' },
  { net: 'ff00::', prefix: 8, family: 'ipv6' }, { net: '2001:db8::', prefix: 32, family: 'ipv6' }, { net: '2002::', prefix: 16, family: 'ipv6' },
];
