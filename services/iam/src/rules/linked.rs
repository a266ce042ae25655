//! The service-linked roles that AWS's services have: their names and policies, from the services' documentation.

/// The role of a service.
#[derive(Debug)]
pub(crate) struct Linked {
    /// The service principal.
    pub(crate) service: &'static str,
    /// What stands behind `AWSServiceRoleFor` in the role's name.
    pub(crate) name: &'static str,
    /// The managed policy of the role, under `/aws-service-role/`.
    pub(crate) policy: &'static str,
    /// Whether there may be several of it, told apart by a suffix.
    pub(crate) has_suffix: bool,
}

const fn one(service: &'static str, name: &'static str, policy: &'static str) -> Linked {
    Linked { service, name, policy, has_suffix: false }
}

const fn many(service: &'static str, name: &'static str, policy: &'static str) -> Linked {
    Linked { service, name, policy, has_suffix: true }
}

static LINKED: &[Linked] = &[
    one("access-analyzer.amazonaws.com", "AccessAnalyzer", "AccessAnalyzerServiceRolePolicy"),
    one("appsync.amazonaws.com", "AppSync", "AWSAppSyncServiceRolePolicy"),
    many("autoscaling.amazonaws.com", "AutoScaling", "AutoScalingServiceRolePolicy"),
    one("backup.amazonaws.com", "Backup", "AWSBackupServiceLinkedRolePolicyForBackup"),
    one("batch.amazonaws.com", "Batch", "BatchServiceRolePolicy"),
    one("cloudtrail.amazonaws.com", "CloudTrail", "CloudTrailServiceRolePolicy"),
    one(
        "codestar-notifications.amazonaws.com",
        "CodeStarNotifications",
        "AWSCodeStarNotificationsServiceRolePolicy",
    ),
    one("config.amazonaws.com", "Config", "AWSConfigServiceRolePolicy"),
    one(
        "contributorinsights.dynamodb.amazonaws.com",
        "DynamoDBCloudWatchContributorInsights",
        "DynamoDBCloudWatchContributorInsightsServiceRolePolicy",
    ),
    one(
        "dynamodb.application-autoscaling.amazonaws.com",
        "ApplicationAutoScaling_DynamoDBTable",
        "AWSApplicationAutoscalingDynamoDBTablePolicy",
    ),
    one(
        "ecs.application-autoscaling.amazonaws.com",
        "ApplicationAutoScaling_ECSService",
        "AWSApplicationAutoscalingECSServicePolicy",
    ),
    one(
        "lambda.application-autoscaling.amazonaws.com",
        "ApplicationAutoScaling_LambdaConcurrency",
        "AWSApplicationAutoscalingLambdaConcurrencyPolicy",
    ),
    one(
        "rds.application-autoscaling.amazonaws.com",
        "ApplicationAutoScaling_RDSCluster",
        "AWSApplicationAutoscalingRDSClusterPolicy",
    ),
    one(
        "elasticache.application-autoscaling.amazonaws.com",
        "ApplicationAutoScaling_ElastiCacheRG",
        "AWSApplicationAutoscalingElastiCacheRGPolicy",
    ),
    one("ecs.amazonaws.com", "ECS", "AmazonECSServiceRolePolicy"),
    one("eks.amazonaws.com", "AmazonEKS", "AmazonEKSServiceRolePolicy"),
    one("eks-fargate.amazonaws.com", "AmazonEKSForFargate", "AmazonEKSForFargateServiceRolePolicy"),
    one("eks-nodegroup.amazonaws.com", "AmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup"),
    one("elasticache.amazonaws.com", "ElastiCache", "ElastiCacheServiceRolePolicy"),
    one(
        "elasticbeanstalk.amazonaws.com",
        "ElasticBeanstalk",
        "AWSElasticBeanstalkServiceRolePolicy",
    ),
    one(
        "maintenance.elasticbeanstalk.amazonaws.com",
        "ElasticBeanstalkMaintenance",
        "AWSElasticBeanstalkMaintenance",
    ),
    one(
        "managedupdates.elasticbeanstalk.amazonaws.com",
        "ElasticBeanstalkManagedUpdates",
        "AWSElasticBeanstalkManagedUpdatesServiceRolePolicy",
    ),
    one(
        "elasticloadbalancing.amazonaws.com",
        "ElasticLoadBalancing",
        "AWSElasticLoadBalancingServiceRolePolicy",
    ),
    one(
        "email.cognito-idp.amazonaws.com",
        "AmazonCognitoIdpEmailService",
        "AmazonCognitoIdpEmailServiceRolePolicy",
    ),
    one("cognito-idp.amazonaws.com", "AmazonCognitoIdp", "AmazonCognitoIdpServiceRolePolicy"),
    one("es.amazonaws.com", "AmazonElasticsearchService", "AmazonElasticsearchServiceRolePolicy"),
    one(
        "opensearchservice.amazonaws.com",
        "AmazonOpenSearchService",
        "AmazonOpenSearchServiceRolePolicy",
    ),
    one("events.amazonaws.com", "CloudWatchEvents", "CloudWatchEventsServiceRolePolicy"),
    one("fms.amazonaws.com", "FMS", "FMSServiceRolePolicy"),
    one("globalaccelerator.amazonaws.com", "GlobalAccelerator", "AWSGlobalAcceleratorSLRPolicy"),
    one("guardduty.amazonaws.com", "AmazonGuardDuty", "AmazonGuardDutyServiceRolePolicy"),
    one("inspector2.amazonaws.com", "AmazonInspector2", "AmazonInspector2ServiceRolePolicy"),
    one("kafka.amazonaws.com", "Kafka", "KafkaServiceRolePolicy"),
    one("lex.amazonaws.com", "LexBots", "LexBotPolicy"),
    many("lexv2.amazonaws.com", "LexV2Bots", "AmazonLexV2BotPolicy"),
    one("delivery.logs.amazonaws.com", "LogDelivery", "AWSServiceRoleForLogDeliveryPolicy"),
    one("logger.cloudfront.amazonaws.com", "CloudFrontLogger", "AWSCloudFrontLogger"),
    one("macie.amazonaws.com", "AmazonMacie", "AmazonMacieServiceRolePolicy"),
    one("ops.apigateway.amazonaws.com", "APIGateway", "APIGatewayServiceRolePolicy"),
    one("organizations.amazonaws.com", "Organizations", "AWSOrganizationsServiceTrustPolicy"),
    one("rds.amazonaws.com", "RDS", "AmazonRDSServiceRolePolicy"),
    one("redshift.amazonaws.com", "Redshift", "AmazonRedshiftServiceLinkedRolePolicy"),
    one(
        "replication.dynamodb.amazonaws.com",
        "DynamoDBReplication",
        "DynamoDBReplicationServiceRolePolicy",
    ),
    one("replicator.lambda.amazonaws.com", "LambdaReplicator", "AWSLambdaReplicator"),
    one(
        "resource-explorer-2.amazonaws.com",
        "ResourceExplorer",
        "AWSResourceExplorerServiceRolePolicy",
    ),
    one("route53resolver.amazonaws.com", "Route53Resolver", "Route53ResolverServiceRolePolicy"),
    one("securityhub.amazonaws.com", "SecurityHub", "AWSSecurityHubServiceRolePolicy"),
    one("spot.amazonaws.com", "EC2Spot", "AWSEC2SpotServiceRolePolicy"),
    one("spotfleet.amazonaws.com", "EC2SpotFleet", "AWSEC2SpotFleetServiceRolePolicy"),
    one("ssm.amazonaws.com", "AmazonSSM", "AmazonSSMServiceRolePolicy"),
    one("sso.amazonaws.com", "SSO", "AWSSSOServiceRolePolicy"),
    one("support.amazonaws.com", "Support", "AWSSupportServiceRolePolicy"),
    one(
        "transitgateway.amazonaws.com",
        "VPCTransitGateway",
        "AWSVPCTransitGatewayServiceRolePolicy",
    ),
    one("trustedadvisor.amazonaws.com", "TrustedAdvisor", "AWSTrustedAdvisorServiceRolePolicy"),
    one("waf.amazonaws.com", "WAFLogging", "WAFLoggingServiceRolePolicy"),
    one("wafv2.amazonaws.com", "WAFV2Logging", "WAFV2LoggingServiceRolePolicy"),
];

/// The role of the service with this principal.
pub(crate) fn find(service: &str) -> Option<&'static Linked> {
    LINKED.iter().find(|linked| linked.service == service)
}

/// The path of a service's role.
pub(crate) fn path(service: &str) -> String {
    format!("/aws-service-role/{service}/")
}

/// The service whose role lies under this path; `None` if roles of customers lie there.
pub(crate) fn service_of(path: &str) -> Option<&str> {
    path.strip_prefix("/aws-service-role/")?.strip_suffix('/')
}

/// The trust policy of a service's role.
pub(crate) fn trust(service: &str) -> String {
    format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":{{\"Service\":\"{service}\"}},\
         \"Action\":\"sts:AssumeRole\"}}]}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_there_once() {
        let mut names: Vec<_> = LINKED.iter().map(|linked| linked.service).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LINKED.len());
    }

    #[test]
    fn every_role_has_its_policy() {
        for linked in LINKED {
            let name = linked.policy;
            let arn = format!("arn:aws:iam::aws:policy/aws-service-role/{name}");
            assert!(fogbank_identity::managed::find(&arn).is_some(), "{name}");
        }
    }

    #[test]
    fn paths_tell_the_service() {
        assert_eq!(service_of(&path("ecs.amazonaws.com")), Some("ecs.amazonaws.com"));
        assert_eq!(service_of("/"), None);
    }
}
