/** The proxy variables, read in one place for our own downloads, the S3 client, git, scripts and the drop-ins. */

/** Proxy addresses, credentials included where they are needed; `no` is the comma-separated list of `no_proxy`. */
export interface ProxySettings {
  readonly http?: string;
  readonly https?: string;
  readonly no?: string;
  /** REQUEST_METHOD is set: whoever sends a CGI request can set HTTP_PROXY with a header. */
  readonly cgi?: true;
}

/** The usual variables, in Go's order: upper case before lower case, an empty one counts for nothing. */
export function proxySettings(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const pick = (name: string): string | undefined => env[name.toUpperCase()] || env[name] || undefined;
  const [http, https, no] = [pick('http_proxy'), pick('https_proxy'), pick('no_proxy')];
  return {
    ...(http !== undefined && { http }),
    ...(https !== undefined && { https }),
    ...(no !== undefined && { no }),
    ...(env['REQUEST_METHOD'] && { cgi: true }),
  };
}
