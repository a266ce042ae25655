// CloudWatch by the AWS SDK for JavaScript, which speaks JSON 1.0.
import {
  CloudWatchClient, DescribeAlarmsCommand, GetMetricDataCommand, ListMetricsCommand, PutMetricAlarmCommand,
  PutMetricDataCommand,
} from "@aws-sdk/client-cloudwatch";

const client = new CloudWatchClient({ maxAttempts: 1 });
let protocol;
client.middlewareStack.add(
  (next) => (args) => {
    protocol = args.request.headers["content-type"];
    return next(args);
  },
  { step: "finalizeRequest", name: "protocol", priority: "low" },
);

const now = Date.now();
const at = new Date(now - 120_000);
const Dimensions = [{ Name: "Host", Value: "ä" }];
const refused = await client
  .send(new PutMetricDataCommand({ Namespace: "Js", MetricData: [{ MetricName: "A", Dimensions, Value: 1 }] }))
  .catch((error) => error.name);
Dimensions[0].Value = "one";
const MetricData = [1, 2, 3.5].map((Value) => ({ MetricName: "A", Dimensions, Value, Timestamp: at, Unit: "Seconds" }));
// Long enough to be packed.
for (let number = 0; number < 300; number += 1) MetricData.push({ MetricName: `M${number}`, Value: number });
await client.send(new PutMetricDataCommand({ Namespace: "Js", MetricData }));
const listed = await client.send(new ListMetricsCommand({ Namespace: "Js", MetricName: "A" }));
const stat = { Metric: { Namespace: "Js", MetricName: "A", Dimensions }, Period: 60, Stat: "Average" };
const data = await client.send(new GetMetricDataCommand({
  StartTime: new Date(now - 600_000), EndTime: new Date(now),
  MetricDataQueries: [{ Id: "m1", MetricStat: stat }, { Id: "e1", Expression: "m1 * 6", Label: "six" }],
}));
await client.send(new PutMetricAlarmCommand({
  AlarmName: "js", Namespace: "Js", MetricName: "A", Dimensions, Statistic: "Sum", Period: 60, EvaluationPeriods: 1,
  Threshold: 1e9, ComparisonOperator: "GreaterThanThreshold",
}));
const alarms = await client.send(new DescribeAlarmsCommand({ AlarmNames: ["js"] }));
const missing = await client
  .send(new GetMetricDataCommand({ StartTime: at, EndTime: at, MetricDataQueries: [{ Id: "m1", MetricStat: stat }] }))
  .catch((error) => [error.name, error.$metadata.httpStatusCode]);

console.log(JSON.stringify({
  protocol,
  refused,
  listed: listed.Metrics,
  results: data.MetricDataResults.map(({ Id, Label, Values, Timestamps }) => [Id, Label, Values, Timestamps.length]),
  alarms: alarms.MetricAlarms.map(({ Threshold, ActionsEnabled, AlarmArn }) => [Threshold, ActionsEnabled, AlarmArn]),
  missing,
}));
