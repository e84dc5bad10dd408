import { later, type Scope, type Setting } from './setting.ts'

/**
 * What VersityGW and our own contract know and this gateway does not do yet: flag, alias, variables. Asking for one is a
 * start-up error rather than a silent difference. A feature that arrives moves its row to the table it belongs to.
 */
export const LATER_SETTINGS: readonly Setting<unknown>[] = [
  ...rows('global', 'one', [
    ['pprof', '', 'VGW_PPROF'],
    ['access-log', '', 'LOGFILE', 'VGW_ACCESS_LOG'],
    ['admin-access-log', '', 'LOGFILE', 'VGW_ADMIN_ACCESS_LOG'],
    ['log-webhook-url', '', 'WEBHOOK', 'VGW_LOG_WEBHOOK_URL'],
    ['event-kafka-url', 'eku', 'VGW_EVENT_KAFKA_URL'],
    ['event-kafka-topic', 'ekt', 'VGW_EVENT_KAFKA_TOPIC'],
    ['event-kafka-key', 'ekk', 'VGW_EVENT_KAFKA_KEY'],
    ['event-nats-url', 'enu', 'VGW_EVENT_NATS_URL'],
    ['event-nats-topic', 'ent', 'VGW_EVENT_NATS_TOPIC'],
    ['event-rabbitmq-url', 'eru', 'VGW_EVENT_RABBITMQ_URL'],
    ['event-rabbitmq-exchange', 'ere', 'VGW_EVENT_RABBITMQ_EXCHANGE'],
    ['event-rabbitmq-routing-key', 'errk', 'VGW_EVENT_RABBITMQ_ROUTING_KEY'],
    ['event-webhook-url', 'ewu', 'VGW_EVENT_WEBHOOK_URL'],
    ['event-filter', 'ef', 'VGW_EVENT_FILTER'],
    ['metrics-service-name', 'msn', 'VGW_METRICS_SERVICE_NAME'],
    ['metrics-statsd-servers', 'mss', 'VGW_METRICS_STATSD_SERVERS'],
    ['metrics-dogstatsd-servers', 'mds', 'VGW_METRICS_DOGSTATS_SERVERS'],
    ['webui', '', 'VGW_WEBUI_PORT'],
    ['webui-cert', '', 'VGW_WEBUI_CERT'],
    ['webui-key', '', 'VGW_WEBUI_KEY'],
    ['webui-gateways', '', 'VGW_WEBUI_GATEWAYS'],
    ['webui-admin-gateways', '', 'VGW_WEBUI_ADMIN_GATEWAYS'],
    ['webui-path-prefix', '', 'VGW_WEBUI_PATH_PREFIX'],
    ['webui-s3-prefix', '', 'VGW_WEBUI_S3_PREFIX'],
    ['website', '', 'VGW_WEBSITE_PORT'],
    ['website-domain', '', 'VGW_WEBSITE_DOMAIN'],
    ['website-cert', '', 'VGW_WEBSITE_CERT'],
    ['website-key', '', 'VGW_WEBSITE_KEY'],
  ]),
  ...rows('global', 'switch', [
    ['webui-no-tls', '', 'VGW_WEBUI_NO_TLS'],
    ['website-no-tls', '', 'VGW_WEBSITE_NO_TLS'],
  ]),
]

/** Sub-commands of VersityGW that do not exist here yet. */
export const LATER_COMMANDS: readonly string[] = ['scoutfs', 's3', 'azure', 'plugin']

type LaterRow = readonly [flag: string, alias: string, ...env: string[]]

function rows(
  scope: Scope,
  form: 'switch' | 'one',
  list: readonly LaterRow[],
): readonly Setting<unknown>[] {
  return list.map(([flag, alias, ...env]) => later({ flag, alias, env, form, scope }))
}
