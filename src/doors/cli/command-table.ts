/** Every command: its arguments, its help, and the function that runs it. */

import { START_TIMEOUT_MS } from '../../config/limits.ts';
import { ADMIN } from './admin-commands.ts';
import { BLOBS } from './blobs-commands.ts';
import { BUILDPACK } from './buildpack-commands.ts';
import type { CommandSpec } from './command-spec.ts';

const STAGE_AFTER = `
Examples:
  stager stage                         detect a buildpack for the app in this directory
  stager stage app.zip -b nodejs       stage an archive with the installed buildpack nodejs
  stager stage -b ./first -b https://github.com/cloudfoundry/nodejs-buildpack#v1.8.40
  stager stage --json | jq -r 'select(.type == "warning").message'

Every option can also be set in ./stager.yml, in $XDG_CONFIG_HOME/stager/config.yml or as a STAGER_* variable:
docs/cli.md has the names, docs/errors.md the exit statuses.`;

/** In the order of `stager --help`. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    usage: 'stage [source]',
    load: async () => (await import('./commands/stage.ts')).stageCommand,
    summary: 'turn an app (directory, zip, jar, war, tar) into a droplet',
    settings: 'stage',
    options: [
      ['--lifecycle <name>', 'buildpack or cnb (Cloud Native Buildpacks); default: buildpack'],
      ['--builder <ref>', 'builder image of Cloud Native Buildpacks: its order, and the buildpacks in it'],
      ['--docker-image <ref>', 'inspect a container image instead, as the docker lifecycle does'],
      ['--docker-username <name>', 'sign in to its registry; the password is CF_DOCKER_PASSWORD'],
    ],
    after: STAGE_AFTER,
  },
  {
    usage: 'run [droplet] [command...]',
    load: async () => (await import('./commands/run.ts')).runCommand,
    summary: 'run a droplet: the last one staged, a file, or a blobstore address',
    settings: 'run',
    options: [
      ['--process <type>', 'process type to run (default: web)'],
      ['-p, --port <number>', 'port for the app (default: a free one)'],
      ['--expose', 'publish the port on all addresses of the machine, not only on loopback'],
      ['--health-check <type>', 'port, http or process (default: port for web, else process)'],
      ['--health-check-endpoint <path>', 'path for the http health check (default: /)'],
      [
        '--start-timeout <time>',
        `how long the app may take to become healthy (default: ${START_TIMEOUT_MS / 1000}s)`,
      ],
      ['--image <ref>', 'run a container image instead: a name, or the directory of an OCI layout'],
      ['--docker-image <ref>', 'the same option, as cf push calls it'],
      ['--docker-username <name>', 'sign in to its registry; the password is CF_DOCKER_PASSWORD'],
    ],
    after: `
Examples:
  stager run                           run web of the last droplet staged
  stager run --process worker --env LOG=debug
  stager run ./droplet.tgz --port 8080
  stager run -- node --version         one command in the droplet's environment`,
  },
  {
    usage: 'files [source]',
    load: async () => (await import('./commands/files.ts')).filesCommand,
    withoutHome: true,
    summary: 'show what would be sent, and which ignore rule decided',
    settings: 'files',
    options: [['--explain <path>', 'say which rule decided for this path']],
  },
  {
    usage: 'shell [source]',
    load: async () => (await import('./commands/shell.ts')).shellInSandbox,
    summary: 'open a shell in the sandbox of a staging',
    settings: 'shell',
    options: [
      ['--workspace <dir>', 'open it in a kept workspace'],
      ['--command <text>', 'run this instead of an interactive shell'],
    ],
    noSettings: ['workspace'],
  },
  {
    usage: 'package',
    summary: 'packages in the blobstore',
    commands: [
      {
        usage: 'create [source]',
        load: async () => (await import('./commands/package-create.ts')).packageCreate,
        summary: 'store an app as a package, sending only what is new',
        settings: 'package',
      },
    ],
  },
  BUILDPACK,
  {
    usage: 'cache',
    summary: 'what this machine keeps to save time',
    commands: [
      {
        usage: 'du',
        load: async () => (await import('./commands/cache.ts')).cacheUse,
        summary: 'what each cache takes',
        settings: 'all',
      },
      {
        usage: 'prune',
        load: async () => (await import('./commands/cache.ts')).cachePrune,
        summary: "remove the trees of apps' packages and compressed members; the next stagings take longer",
        settings: 'all',
      },
    ],
  },
  {
    usage: 'stack',
    summary: 'root file systems that sandboxes see',
    commands: [
      {
        usage: 'list',
        load: async () => (await import('./commands/stacks.ts')).stackList,
        summary: 'known stacks',
        settings: 'all',
      },
      {
        usage: 'add <name> <rootfs>',
        load: async () => (await import('./commands/stacks.ts')).stackAdd,
        summary: 'add a tar, directory, OCI layout directory or docker archive',
        settings: 'all',
      },
      {
        usage: 'remove <name>',
        load: async () => (await import('./commands/stacks.ts')).stackRemove,
        summary: 'remove a stack',
        settings: 'all',
      },
    ],
  },
  {
    usage: 'image',
    summary: 'droplets as container images, without a daemon',
    commands: [
      {
        usage: 'build [droplet]',
        load: async () => (await import('./commands/image.ts')).imageBuild,
        summary: 'make an image of a droplet (the last one staged here, or a file), and push or write it',
        settings: 'image',
        options: [
          ['-t, --tag <name>', 'name of the image: REGISTRY/REPOSITORY:TAG'],
          [
            '--base <base>',
            'image, directory of an OCI layout, stack, stack:NAME or scratch (default: stack)',
          ],
          [
            '--base-mirrors <images>',
            'other names of the base, with commas between them (Cloud Native Buildpacks)',
          ],
          ['--launcher <file>', 'launcher of the reference lifecycle to put in (Cloud Native Buildpacks)'],
          ['--push', 'send it to the registry'],
          ['-o, --output <file>', 'write it as a tar of an OCI layout'],
          ['--load-into <dir>', 'add it to the OCI layout in this directory'],
        ],
        after: `
Examples:
  stager image build --tag registry.example.com/app:v1 --base registry.example.com/cflinuxfs4:1.2 --push
  stager image build ./droplet.tgz --tag app:v1 --base stack:cflinuxfs4 --output app.tar`,
      },
      {
        usage: 'rebase <image>',
        load: async () => (await import('./commands/image.ts')).imageRebase,
        summary: 'put an image on a newer base without changing its own layers',
        settings: 'image',
        options: [
          ['--base <base>', 'the new base: an image, or the directory of an OCI layout'],
          ['-t, --tag <name>', 'name of the new image (default: that of the old one)'],
          [
            '--force',
            'even if the new base is not one that the image names or fits (Cloud Native Buildpacks)',
          ],
          ['-o, --output <file>', 'write it as a tar of an OCI layout instead of pushing it'],
          ['--load-into <dir>', 'add it to the OCI layout in this directory instead of pushing it'],
        ],
      },
    ],
  },
  BLOBS,
  {
    usage: 'serve',
    keepsCompiled: true,
    load: async () => (await import('./commands/serve.ts')).serveCommand,
    summary: "the staging part of Cloud Foundry's API, for cf and other clients",
    settings: 'serve',
    after: `
The password of admin comes from STAGER_ADMIN_PASSWORD, or is made up at the first start and shown once.

Examples:
  stager serve
  cf api http://127.0.0.1:8484 && cf auth admin PASSWORD
  stager serve --database postgres://user@host/stager --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem`,
  },
  {
    usage: 'worker',
    keepsCompiled: true,
    load: async () => (await import('./commands/worker.ts')).workerCommand,
    summary: 'run builds from the database of a server, on this machine or another',
    settings: 'worker',
    only: {
      database: 'postgres://… as on the server',
      blobstore: 's3://… as on the server; a directory works only on the same machine',
      memory: 'memory for all builds that run here at the same time; default: all of the machine',
      disk: 'disk for all builds that run here at the same time; default: what is free below the data home',
      slots: '',
      stacks: '',
      workerName: '',
      log: '',
      metricsPort: '',
      host: 'address of --metrics-port; default: 127.0.0.1',
      grace: '',
      data: 'directory for data in transit; default: below the data home',
      caFile: '',
      diskBound: '',
      workspace: '',
      leaveCgroupMounts: '',
      network: '',
      egressRules: '',
      runEgressRules: '',
      allowHosts: '',
      sandbox: '',
      runtime: '',
      stack: '',
      timeout: '',
      compression: '',
    },
    after: `
It needs the same data home as any staging: stacks and a sandbox (stager doctor). SIGTERM lets running builds go on for
the grace time; what is not over then is given to other workers.

Examples:
  stager serve --no-worker --database postgres://user@host/stager --blobstore s3://bucket
  stager worker --database postgres://user@host/stager --blobstore s3://bucket --memory 16G --disk 200G --slots 4`,
  },
  ADMIN,
  {
    usage: 'login <url>',
    load: async () => (await import('./commands/login.ts')).loginCommand,
    withoutHome: true,
    summary: 'sign in to a stager server, for stage --server',
    settings: 'login',
    options: [
      [
        '-u, --username <name>',
        'sign in as a person; set the password in STAGER_PASSWORD, or stager asks for it',
      ],
      [
        '--client <id>',
        'sign in as a program; set the secret in STAGER_CLIENT_SECRET, or stager asks for it',
      ],
    ],
    after: `
The token is kept in $XDG_CONFIG_HOME/stager/logins.json, for you alone, and renewed when it runs out.

Examples:
  stager login http://127.0.0.1:8484 --username admin
  stager stage --server http://127.0.0.1:8484`,
  },
  {
    usage: 'doctor',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
    withoutHome: true,
    summary: 'show what stager will use here, check it and the parts of a server, and say what to do',
    settings: 'doctor',
    options: [['--repair', 'first move aside anything broken in the data home, and create it again']],
    after: `
It looks at a server only as far as it is named, and changes nothing there but an object that it stores and deletes.

Examples:
  stager doctor
  stager doctor --database postgres://user@host/stager --blobstore s3://bucket
  stager doctor --server https://stager.example.com`,
  },
  { usage: 'builder', summary: "Cloud Foundry's builder, flag for flag", passThrough: true },
  { usage: 'launcher', summary: "Cloud Foundry's launcher, argument for argument", passThrough: true },
];
