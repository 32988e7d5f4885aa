/** The addresses inside a network of a sandbox: a documentation range (RFC 5737), which nobody's machines have. */
export const CIDR = '198.51.100.0/24';
/** Stands for the machine: what is let through to it arrives at the machine's 127.0.0.1. */
export const GATEWAY = '198.51.100.2';
/** Hands queries on to the machine's resolver, wherever that listens. */
export const RESOLVER = '198.51.100.3';
export const INTERFACE = 'tap0';
