//! Which host names lead to Landfall inside of a build.
//!
//! They are the endpoints of the services that Landfall knows, in the forms that AWS's SDKs make of them: by region, the
//! global one, FIPS and dual-stack; and the hosts of ECR's registries, of CodeCommit's repositories and of S3's buckets.
//! All buckets are Landfall's, whether they exist or not: a request that was signed for Landfall must not go to AWS
//! because a bucket's name was misspelt. Other services' names are the outside's.
//!
//! Sources: botocore's `endpoints.json` and endpoint rule sets; Amazon S3 User Guide, "Virtual hosting of buckets"; Amazon
//! ECR User Guide, "Making requests to Amazon ECR registries".

/// The services' first labels.
const SERVICES: [&str; 23] = [
    "api.ecr",
    "cloudformation",
    "codebuild",
    "codecommit",
    "codeconnections",
    "codedeploy",
    "codedeploy-commands",
    "codedeploy-commands-secure",
    "codepipeline",
    "codestar-connections",
    "codestar-notifications",
    "ecr",
    "events",
    "git-codecommit",
    "iam",
    "kms",
    "logs",
    "secretsmanager",
    "sns",
    "ssm",
    "stream-logs",
    "streaming-logs",
    "sts",
];

/// What a name without its domain means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Domain {
    /// AWS's oldest.
    Usual,
    /// The dual-stack endpoints of newer services.
    Api,
    /// ECR's dual-stack registries.
    On,
}

/// The domains under which the names are; those of China last.
pub const DOMAINS: [&str; 6] = [
    "amazonaws.com",
    "api.aws",
    "on.aws",
    "amazonaws.com.cn",
    "api.amazonwebservices.com.cn",
    "on.amazonwebservices.com.cn",
];
const MEANINGS: [Domain; 6] = [Domain::Usual, Domain::Api, Domain::On, Domain::Usual, Domain::Api, Domain::On];

/// Whether this host name, with or without a dot at its end, is one of Landfall's.
#[must_use]
pub fn is_served(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name.len() > 253 || !name.split('.').all(is_label) {
        return false;
    }
    let Some((rest, domain)) = without_domain(&name) else { return false };
    let labels: Vec<&str> = rest.split('.').collect();
    match domain {
        Domain::Usual => is_service(&labels) || is_registry(&labels) || is_s3(&labels),
        Domain::Api => labels.len() > 1 && is_service(&labels),
        Domain::On => is_dual_stack_registry(&labels),
    }
}

/// The names of one account and region that a buildspec is most likely to use: what a hosts file can hold, which knows no
/// patterns.
#[must_use]
pub fn usual(account: &str, region: &str) -> Vec<String> {
    let domain = domain_of(region);
    let regional = SERVICES.iter().chain(&["s3", "s3.dualstack"]).map(|service| format!("{service}.{region}.{domain}"));
    let global = ["iam", "s3", "sts"].map(|service| format!("{service}.{domain}"));
    regional.chain(global).chain([registry(account, region)]).collect()
}

/// The host of an account's image registry.
#[must_use]
pub fn registry(account: &str, region: &str) -> String {
    format!("{account}.dkr.ecr.{region}.{}", domain_of(region))
}

fn domain_of(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

fn without_domain(name: &str) -> Option<(&str, Domain)> {
    DOMAINS
        .iter()
        .zip(MEANINGS)
        .find_map(|(domain, meaning)| Some((name.strip_suffix(domain)?.strip_suffix('.')?, meaning)))
}

/// Underscores are in some buckets' names.
fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && label.bytes().all(allowed)
}

/// `SERVICE` or `SERVICE.REGION`.
fn is_service(labels: &[&str]) -> bool {
    let known = |name: &str| SERVICES.contains(&name.strip_suffix("-fips").unwrap_or(name));
    match labels {
        ["api", "ecr" | "ecr-fips", _region] => true,
        [service] | [service, _] => known(service),
        _ => false,
    }
}

/// `ACCOUNT.dkr.ecr.REGION`.
fn is_registry(labels: &[&str]) -> bool {
    matches!(labels, [account, "dkr", "ecr" | "ecr-fips", _region] if is_account(account))
}

/// `ACCOUNT.dkr-ecr.REGION`.
fn is_dual_stack_registry(labels: &[&str]) -> bool {
    matches!(labels, [account, "dkr-ecr" | "dkr-ecr-fips", _region] if is_account(account))
}

fn is_account(label: &str) -> bool {
    label.len() == 12 && label.bytes().all(|byte| byte.is_ascii_digit())
}

/// S3 itself, or a bucket of it, whose name may have dots.
fn is_s3(labels: &[&str]) -> bool {
    match labels {
        [.., "s3" | "s3-fips" | "s3-control" | "s3-control-fips", "dualstack", _region] => true,
        [.., "s3-accelerate", "dualstack"] => true,
        [.., "s3" | "s3-fips" | "s3-control" | "s3-control-fips", region] if !is_s3(&[region]) => true,
        [.., last] => {
            *last == "s3"
                || *last == "s3-accelerate"
                || last.strip_prefix("s3-").is_some_and(|region| region == "external-1" || is_region(region))
        }
        [] => false,
    }
}

/// `eu-west-1`, `us-gov-west-1`; and not `website-eu-west-1`, whose pages Landfall does not serve.
fn is_region(text: &str) -> bool {
    let (first, rest) = text.split_once('-').unwrap_or_default();
    let number = rest.rsplit_once('-').map(|(_, number)| number).unwrap_or_default();
    (2..=4).contains(&first.len()) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_unmodified_buildspecs_name_is_ours_and_the_rest_is_not() {
        for (name, ours) in [
            ("123456789012.dkr.ecr.us-east-1.amazonaws.com", true),
            ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", true),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", true),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", true),
            ("12345.dkr.ecr.us-east-1.amazonaws.com", false),
            ("123456789012.dkr.ecr.us-east-1.example", false),
            ("api.ecr.us-east-1.amazonaws.com", true),
            ("api.ecr-fips.us-east-1.amazonaws.com", true),
            ("ecr.us-east-1.api.aws", true),
            ("api.ecr-public.us-east-1.amazonaws.com", false),
            ("public.ecr.aws", false),
            ("git-codecommit.us-east-1.amazonaws.com", true),
            ("GIT-CodeCommit.eu-central-2.amazonaws.com.", true),
            ("git-codecommit-fips.us-east-1.amazonaws.com", true),
            ("codeconnections.eu-west-1.amazonaws.com", true),
            ("codestar-connections.eu-west-1.amazonaws.com", true),
            ("sts.amazonaws.com", true),
            ("sts.us-east-1.amazonaws.com", true),
            ("sts-fips.us-east-1.amazonaws.com", true),
            ("iam.amazonaws.com", true),
            ("logs.eu-west-1.amazonaws.com", true),
            ("streaming-logs.eu-west-1.amazonaws.com", true),
            ("logs.eu-west-1.api.aws", true),
            ("logs.api.aws", false),
            ("logs.cn-north-1.api.amazonwebservices.com.cn", true),
            ("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", true),
            ("logs.cn-north-1.amazonwebservices.com.cn", false),
            ("dynamodb.us-east-1.amazonaws.com", false),
            ("vpce-1.sts.us-east-1.vpce.amazonaws.com", false),
            ("evil.sts.us-east-1.amazonaws.com", false),
            ("sts.us-east-1.amazonaws.com.evil.example", false),
            ("awscli.amazonaws.com", false),
            ("amazonaws.com", false),
            ("xamazonaws.com", false),
            ("stsamazonaws.com", false),
            ("", false),
            (".", false),
            (".amazonaws.com", false),
            ("sts..amazonaws.com", false),
        ] {
            assert_eq!(is_served(name), ours, "{name}");
        }
    }

    #[test]
    fn all_of_s3_is_ours_but_its_web_sites() {
        for (name, ours) in [
            ("s3.amazonaws.com", true),
            ("s3.eu-west-1.amazonaws.com", true),
            ("s3-eu-west-1.amazonaws.com", true),
            ("s3-external-1.amazonaws.com", true),
            ("s3.dualstack.eu-west-1.amazonaws.com", true),
            ("s3-fips.us-east-1.amazonaws.com", true),
            ("s3.cn-north-1.amazonaws.com.cn", true),
            ("bucket.s3.amazonaws.com", true),
            ("bucket.s3.eu-west-1.amazonaws.com", true),
            ("my.dotted_bucket.s3.us-gov-west-1.amazonaws.com", true),
            ("bucket.s3-eu-west-1.amazonaws.com", true),
            ("bucket.s3.dualstack.eu-west-1.amazonaws.com", true),
            ("bucket.s3-accelerate.amazonaws.com", true),
            ("bucket.s3-accelerate.dualstack.amazonaws.com", true),
            ("123456789012.s3-control.eu-west-1.amazonaws.com", true),
            ("bucket.s3-website.eu-west-1.amazonaws.com", false),
            ("bucket.s3-website-eu-west-1.amazonaws.com", false),
            ("s3express-use1-az4.us-east-1.amazonaws.com", false),
        ] {
            assert_eq!(is_served(name), ours, "{name}");
        }
    }

    #[test]
    fn the_usual_names_are_served() {
        for (account, region) in [("123456789012", "us-east-1"), ("000000000000", "cn-north-1")] {
            let names = usual(account, region);
            assert!(names.contains(&registry(account, region)));
            assert!(names.iter().all(|name| is_served(name)), "{names:?}");
        }
        assert_eq!(registry("1", "cn-north-1"), "1.dkr.ecr.cn-north-1.amazonaws.com.cn");
    }

    proptest! {
        #[test]
        fn nothing_outside_of_the_domains_is_ours(name in "\\PC{0,60}") {
            let inside = DOMAINS.iter().any(|domain| name.to_ascii_lowercase().trim_end_matches('.').ends_with(domain));
            prop_assert!(inside || !is_served(&name));
        }

        #[test]
        fn every_bucket_is_ours(bucket in "[a-z0-9][a-z0-9-]{1,20}(\\.[a-z0-9]{1,20}){0,3}") {
            for host in ["s3.amazonaws.com", "s3.eu-west-1.amazonaws.com", "s3-eu-west-1.amazonaws.com"] {
                let name = format!("{bucket}.{host}");
                prop_assert!(is_served(&name), "{}", name);
            }
        }

        #[test]
        fn letters_case_means_nothing(name in "[a-z0-9.-]{0,20}(sts|s3|api.ecr)\\.eu-west-1\\.amazonaws\\.com") {
            prop_assert_eq!(is_served(&name), is_served(&name.to_ascii_uppercase()));
        }
    }
}
