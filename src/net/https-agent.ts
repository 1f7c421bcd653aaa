import type { X509Certificate } from 'node:crypto';
import https from 'node:https';
import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';

/** Groups of the key exchange. Without ML-KEM, which takes a tenth of a new connection's time to keep secret what anybody may download. */
const GROUPS = 'X25519:P-256:P-384:P-521';
/** Hosts whose TLS session is kept, for their next connection. */
const MAX_SESSIONS = 1000;

/**
 * node:https's agent, whose new connections take three fifths of the processor time (measured): all share one TLS context, where Node makes
 * one for each, and OpenSSL compares the name with the certificate, where Node first makes an object of all that a certificate says.
 */
export class HttpsAgent extends https.Agent {
  constructor(options: https.AgentOptions) {
    const secureContext = createSecureContext({ ecdhCurve: GROUPS });
    const checkServerIdentity = nameError as unknown as ConnectionOptions['checkServerIdentity'];
    super({ ...options, secureContext, checkServerIdentity, maxCachedSessions: MAX_SESSIONS });
  }

  override createConnection(...args: Parameters<https.Agent['createConnection']>): TLSSocket {
    const socket = super.createConnection(...args) as TLSSocket;
    // Node hands to checkServerIdentity what this returns.
    socket.getPeerCertificate = () => socket.getPeerX509Certificate() as unknown as DetailedPeerCertificate;
    return socket;
  }
}

/** Why a certificate, whose chain was verified before, is not one of this host name or address; undefined where it is. */
function nameError(host: string, certificate: X509Certificate): Error | undefined {
  const matches = isIP(host) === 0 ? certificate.checkHost(host, { partialWildcards: false }) : certificate.checkIP(host);
  return matches === undefined ? Object.assign(new Error(`the certificate is not one of ${host}`), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }) : undefined;
}
