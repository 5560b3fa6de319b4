//! ListCuratedEnvironmentImages: the names that consoles and plug-ins offer. `--image-map` says what they run on.

use aws::codebuild::{EnvironmentImage, EnvironmentLanguage, EnvironmentPlatform, ListCuratedEnvironmentImagesOutput};

/// Platform, image, description (CodeBuild user guide, "Docker images provided by CodeBuild").
const CURATED: [(&str, &str, &str); 9] = [
    ("UBUNTU", "aws/codebuild/standard:5.0", "AWS CodeBuild - Docker image for Ubuntu 20.04"),
    ("UBUNTU", "aws/codebuild/standard:6.0", "AWS CodeBuild - Docker image for Ubuntu 22.04"),
    ("UBUNTU", "aws/codebuild/standard:7.0", "AWS CodeBuild - Docker image for Ubuntu 22.04"),
    ("UBUNTU", "aws/codebuild/standard:8.0", "AWS CodeBuild - Docker image for Ubuntu 24.04"),
    (
        "AMAZON_LINUX",
        "aws/codebuild/amazonlinux-x86_64-standard:4.0",
        "AWS CodeBuild - Docker image for Amazon Linux 2",
    ),
    (
        "AMAZON_LINUX",
        "aws/codebuild/amazonlinux-x86_64-standard:5.0",
        "AWS CodeBuild - Docker image for Amazon Linux 2023",
    ),
    (
        "AMAZON_LINUX",
        "aws/codebuild/amazonlinux-x86_64-standard:6.0",
        "AWS CodeBuild - Docker image for Amazon Linux 2023",
    ),
    (
        "AMAZON_LINUX",
        "aws/codebuild/amazonlinux-aarch64-standard:2.0",
        "AWS CodeBuild - Docker image for Amazon Linux 2 on ARM",
    ),
    (
        "AMAZON_LINUX",
        "aws/codebuild/amazonlinux-aarch64-standard:3.0",
        "AWS CodeBuild - Docker image for Amazon Linux 2023 on ARM",
    ),
];

/// The answer.
pub(super) fn curated() -> ListCuratedEnvironmentImagesOutput {
    let platforms = ["AMAZON_LINUX", "UBUNTU"].map(|platform| EnvironmentPlatform {
        platform: Some(platform.to_owned()),
        languages: Some(vec![EnvironmentLanguage {
            language: Some("BASE".to_owned()),
            images: Some(images(platform)),
        }]),
    });
    ListCuratedEnvironmentImagesOutput { platforms: Some(platforms.into()) }
}

fn images(platform: &str) -> Vec<EnvironmentImage> {
    let of_platform = CURATED.iter().filter(|(of, ..)| *of == platform);
    of_platform
        .map(|(_, name, description)| EnvironmentImage {
            name: Some((*name).to_owned()),
            description: Some((*description).to_owned()),
            versions: Some(vec![(*name).to_owned()]),
        })
        .collect()
}
