//! How each service sets and takes away tags of what is there.

use aws_sdk_s3::types::Tagging;

use super::{Step, Tags};
use crate::cloud::aws::{Aws, OrFault};
use crate::engine::Fault;

/// EC2 takes tags of so many things in a call, and 1000 at most.
const AT_ONCE: usize = 500;

/// Of anything in EC2, by ids.
///
/// # Errors
/// As EC2 answers.
pub async fn ec2(aws: &Aws, ids: &[String], steps: &[Step]) -> Result<(), Fault> {
    for ids in ids.chunks(AT_ONCE) {
        for step in steps {
            match step {
                Step::Untag(keys) => {
                    // Without a value the tag goes whatever its value is.
                    let tags = keys.iter().map(|key| aws_sdk_ec2::types::Tag::builder().key(key).build());
                    let call = aws.ec2.delete_tags().set_resources(Some(ids.to_vec()));
                    call.set_tags(Some(tags.collect())).send().await.fault()?;
                }
                Step::Tag(tags) => {
                    let call = aws.ec2.create_tags().set_resources(Some(ids.to_vec()));
                    call.set_tags(Some(tags.ec2())).send().await.fault()?;
                }
            }
        }
    }
    Ok(())
}

/// Of anything in EKS, by its ARN.
///
/// # Errors
/// As EKS answers.
pub async fn eks(aws: &Aws, arn: &str, steps: &[Step]) -> Result<(), Fault> {
    for step in steps {
        match step {
            Step::Untag(keys) => {
                let call = aws.eks.untag_resource().resource_arn(arn).set_tag_keys(Some(keys.clone()));
                call.send().await.fault().map(drop)?;
            }
            Step::Tag(tags) => {
                let call = aws.eks.tag_resource().resource_arn(arn).set_tags(Some(tags.map()));
                call.send().await.fault().map(drop)?;
            }
        }
    }
    Ok(())
}

/// Of a role, by its name.
///
/// # Errors
/// As IAM answers.
pub async fn role(aws: &Aws, name: &str, steps: &[Step]) -> Result<(), Fault> {
    for step in steps {
        match step {
            Step::Untag(keys) => {
                let call = aws.iam.untag_role().role_name(name).set_tag_keys(Some(keys.clone()));
                call.send().await.fault().map(drop)?;
            }
            Step::Tag(tags) => {
                aws.iam.tag_role().role_name(name).set_tags(Some(tags.iam())).send().await.fault().map(drop)?;
            }
        }
    }
    Ok(())
}

/// Of an OIDC provider, by its ARN.
///
/// # Errors
/// As IAM answers.
pub async fn provider(aws: &Aws, arn: &str, steps: &[Step]) -> Result<(), Fault> {
    for step in steps {
        match step {
            Step::Untag(keys) => {
                let call = aws.iam.untag_open_id_connect_provider().open_id_connect_provider_arn(arn);
                call.set_tag_keys(Some(keys.clone())).send().await.fault().map(drop)?;
            }
            Step::Tag(tags) => {
                let call = aws.iam.tag_open_id_connect_provider().open_id_connect_provider_arn(arn);
                call.set_tags(Some(tags.iam())).send().await.fault().map(drop)?;
            }
        }
    }
    Ok(())
}

/// Of a repository, by its ARN.
///
/// # Errors
/// As ECR answers.
pub async fn ecr(aws: &Aws, arn: &str, steps: &[Step]) -> Result<(), Fault> {
    for step in steps {
        match step {
            Step::Untag(keys) => {
                let call = aws.ecr.untag_resource().resource_arn(arn).set_tag_keys(Some(keys.clone()));
                call.send().await.fault().map(drop)?;
            }
            Step::Tag(tags) => {
                aws.ecr.tag_resource().resource_arn(arn).set_tags(Some(tags.ecr())).send().await.fault().map(drop)?;
            }
        }
    }
    Ok(())
}

/// Of a load balancer or a target group, by its ARN.
///
/// # Errors
/// As ELB answers.
pub async fn elb(aws: &Aws, arn: &str, steps: &[Step]) -> Result<(), Fault> {
    for step in steps {
        match step {
            Step::Untag(keys) => {
                let call = aws.elb.remove_tags().resource_arns(arn).set_tag_keys(Some(keys.clone()));
                call.send().await.fault().map(drop)?;
            }
            Step::Tag(tags) => {
                aws.elb.add_tags().resource_arns(arn).set_tags(Some(tags.elb())).send().await.fault().map(drop)?;
            }
        }
    }
    Ok(())
}

/// Of a bucket. S3 only takes all of them at once, so that they are read just before, with those of others: system tags
/// (`aws:`) too, without which S3 refuses.
///
/// # Errors
/// As S3 answers.
pub async fn bucket(aws: &Aws, name: &str, steps: &[Step]) -> Result<(), Fault> {
    if steps.is_empty() {
        return Ok(());
    }
    let call = aws.s3.get_bucket_tagging().bucket(name).expected_bucket_owner(&aws.account);
    let there = call.send().await.fault_or_absent(&["NoSuchTagSet"])?;
    let there = there.map(|answer| Tags::from(answer.tag_set())).unwrap_or_default();
    let tags = steps.iter().fold(there, |tags, step| match step {
        Step::Untag(keys) => tags.without(keys),
        Step::Tag(more) => tags.and(more.clone()),
    });
    let tagging = Tagging::builder().set_tag_set(Some(tags.s3())).build();
    let tagging = tagging.map_err(|why| Fault::fatal(why.to_string()))?;
    let call = aws.s3.put_bucket_tagging().bucket(name).expected_bucket_owner(&aws.account);
    call.tagging(tagging).send().await.fault().map(drop)
}
