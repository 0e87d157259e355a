//! What each recorded answer means to a look, read from the answer alone: AWS's references say what a state is.

use serde_json::{Value, json};
use tritondeploy::engine::Remedy;

use crate::corpus::Recording;
use crate::found::Meant;
use crate::looks::{Part, policy_of, subnet_of};
use crate::meaning::is_absence;

/// Of an error; None: it is a fault.
pub(crate) fn of_error(of: &Recording) -> Option<Meant> {
    match of.operation.as_str() {
        // A part of the bucket that is not there, and the bucket is.
        "GetPublicAccessBlock" if of.status == 404 => Some(Meant::Present(json!({"public_access_blocked": false}))),
        "GetBucketTagging" if crate::meaning::is_elsewhere(of) || of.code() == "NoSuchTagSet" => Some(Meant::Foreign),
        // In nobody's list of buckets but another account's.
        "GetBucketTagging" if of.status == 403 && of.code().contains("AccessDenied") => Some(Meant::Foreign),
        // Nobody has changed it, so that its default counts; of which we are told nothing here.
        "GetServiceQuota" if is_absence(of) => Some(Meant::Present(json!({"short": false}))),
        // These name what they ask for; the others ask for all that carries our tags.
        "DescribeCluster"
        | "DescribeNodegroup"
        | "DescribeAddon"
        | "DescribeAccessEntry"
        | "ListAssociatedAccessPolicies"
        | "GetRole"
        | "GetRolePolicy"
        | "GetOpenIDConnectProvider"
        | "DescribeRepositories"
        | "ListTagsForResource"
        | "DescribeLaunchTemplateVersions"
        | "GetBucketTagging" => is_absence(of).then_some(Meant::Absent),
        "DescribeRouteTables" => (of.code() == "InvalidRouteTableID.NotFound").then_some(Meant::Absent),
        _ => None,
    }
}

/// Of one thing in an answer.
pub(crate) fn of_thing(operation: &str, part: Part, thing: &Value) -> Meant {
    let text = |name: &str| thing[name].as_str().unwrap_or_default().to_owned();
    let present = |fields: Value| Meant::Present(fields);
    match operation {
        "DescribeRouteTables" => of_table(part, thing),
        "DescribeVpcs" | "DescribeSubnets" if text("State") == "pending" => Meant::Changing("pending".to_owned()),
        "DescribeVpcs" => present(json!({"cidr": thing["CidrBlock"]})),
        "DescribeVpcAttribute" => {
            let on = thing["EnableDnsSupport"]["Value"] == true || thing["EnableDnsHostnames"]["Value"] == true;
            present(json!({"dns_support": on, "dns_hostnames": on}))
        }
        "DescribeSubnets" => present(json!({
            "cidr": thing["CidrBlock"], "zone": thing["AvailabilityZone"],
            "public_addresses": thing["MapPublicIpOnLaunch"] == true,
        })),
        "DescribeInternetGateways" => present(json!({"vpc": thing["Attachments"][0]["VpcId"]})),
        "DescribeNatGateways" => of_nat(thing),
        "DescribeVpcEndpoints" => of_endpoint(thing),
        "DescribeNetworkInterfaces" if text("Status") != "available" => Meant::Absent,
        // Of a Lambda function: it is in no VPC.
        "DescribeTargetGroups" if thing["VpcId"].is_null() => Meant::Absent,
        "DescribeLaunchTemplateVersions" => of_template(&thing["LaunchTemplateData"]),
        "DescribeCluster" => of_cluster(&thing["cluster"]),
        "DescribeNodegroup" => of_group(&thing["nodegroup"]),
        "DescribeAddon" => of_addon(&thing["addon"]),
        "ListAssociatedAccessPolicies" => {
            let admin = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";
            let is = |one: &Value| one["policyArn"] == admin && one["accessScope"]["type"] == "cluster";
            present_if(list(&thing["associatedAccessPolicies"]).iter().any(is))
        }
        "GetRole" => present(json!({"trust": statements(&thing["Role"]["AssumeRolePolicyDocument"])})),
        "GetRolePolicy" => present(json!({"document": statements(&thing["PolicyDocument"])})),
        "ListAttachedRolePolicies" => present_if(policy_of(thing) != "NoSuchPolicy"),
        "ListOpenIDConnectProviders" => present_if(!list(&thing["OpenIDConnectProviderList"]).is_empty()),
        "GetOpenIDConnectProvider" => present(json!({
            "issuer": thing["Url"], "for_sts": list(&thing["ClientIDList"]).contains(&json!("sts.amazonaws.com")),
        })),
        "GetPublicAccessBlock" => {
            let names = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
            let all = names.iter().all(|name| thing["PublicAccessBlockConfiguration"][name] == true);
            present(json!({"public_access_blocked": all}))
        }
        // A g4dn.xlarge has four vCPUs.
        "GetServiceQuota" | "GetAWSDefaultServiceQuota" => {
            present(json!({"short": thing["Quota"]["Value"].as_f64().is_some_and(|value| value < 4.0)}))
        }
        _ => present(json!({})),
    }
}

fn present_if(there: bool) -> Meant {
    if there { Meant::Present(json!({})) } else { Meant::Absent }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn sorted(value: &Value) -> Vec<String> {
    let mut texts: Vec<String> = list(value).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    texts.sort_unstable();
    texts
}

fn of_table(part: Part, table: &Value) -> Meant {
    match part {
        Part::Whole => Meant::Present(json!({})),
        Part::Route => {
            let all = list(&table["Routes"]);
            let Some(route) = all.iter().find(|route| route["DestinationCidrBlock"] == "0.0.0.0/0") else { return Meant::Absent };
            let to = ["GatewayId", "NatGatewayId", "NetworkInterfaceId", "InstanceId"].iter().map(|name| &route[name]);
            Meant::Present(json!({"gateway": to.into_iter().find(|to| to.is_string()).unwrap_or(&json!("something else"))}))
        }
        Part::Association => {
            let subnet = subnet_of(table);
            let Some(one) = list(&table["Associations"]).iter().find(|one| one["SubnetId"] == *subnet) else {
                return Meant::Absent;
            };
            match one["AssociationState"]["State"].as_str() {
                Some("disassociated") => Meant::Absent,
                Some(state @ ("associating" | "disassociating")) => Meant::Changing(state.to_owned()),
                Some("failed") => Meant::Broken(Vec::new(), Remedy::Recreate),
                _ => Meant::Present(json!({"table": one["RouteTableId"]})),
            }
        }
    }
}

fn of_nat(nat: &Value) -> Meant {
    match nat["State"].as_str().unwrap_or_default() {
        "deleted" => Meant::Absent,
        "available" => {
            let address = list(&nat["NatGatewayAddresses"]).iter().find_map(|one| one["AllocationId"].as_str());
            Meant::Present(json!({"subnet": nat["SubnetId"], "address": address.unwrap_or_default()}))
        }
        "failed" => {
            let words = ["FailureCode", "FailureMessage"].iter().filter_map(|name| nat[name].as_str());
            Meant::Broken(words.map(str::to_owned).collect(), Remedy::Recreate)
        }
        state => Meant::Changing(state.to_owned()),
    }
}

fn of_endpoint(endpoint: &Value) -> Meant {
    // EC2 writes them in lower case, its model does not.
    match endpoint["State"].as_str().unwrap_or_default().to_lowercase().as_str() {
        "deleted" => Meant::Absent,
        state @ ("pending" | "pendingacceptance" | "deleting") => Meant::Changing(state.to_owned()),
        "failed" | "rejected" | "expired" | "partial" => {
            let why = endpoint["LastError"]["Message"].as_str();
            Meant::Broken(why.into_iter().map(str::to_owned).collect(), Remedy::Recreate)
        }
        _ => Meant::Present(json!({"route_tables": sorted(&endpoint["RouteTableIds"])})),
    }
}

fn of_template(data: &Value) -> Meant {
    let disk = &data["BlockDeviceMappings"][0];
    Meant::Present(json!({
        "disk_gib": disk["Ebs"]["VolumeSize"].as_i64().unwrap_or_default(),
        "device": disk["DeviceName"].as_str().unwrap_or_default(),
        "http_tokens": data["MetadataOptions"]["HttpTokens"].as_str().unwrap_or_default(),
        "hops": data["MetadataOptions"]["HttpPutResponseHopLimit"].as_i64().unwrap_or_default(),
    }))
}

fn of_cluster(cluster: &Value) -> Meant {
    let vpc = &cluster["resourcesVpcConfig"];
    match cluster["status"].as_str().unwrap_or_default() {
        "FAILED" => Meant::Broken(issues(cluster), Remedy::Recreate),
        "ACTIVE" => Meant::Present(json!({
            "role": cluster["roleArn"], "subnets": sorted(&vpc["subnetIds"]),
            "endpoint_private": vpc["endpointPrivateAccess"] == true, "endpoint_public": vpc["endpointPublicAccess"] == true,
            "public_access_cidrs": sorted(&vpc["publicAccessCidrs"]),
            "authentication_mode": cluster["accessConfig"]["authenticationMode"].as_str().unwrap_or_default(),
        })),
        "" => Meant::Changing("in no known state".to_owned()),
        state => Meant::Changing(state.to_owned()),
    }
}

fn of_group(group: &Value) -> Meant {
    let scaling = &group["scalingConfig"];
    let size = |name: &str| scaling[name].as_i64().unwrap_or(-1);
    let present = || {
        Meant::Present(json!({
            "instance_types": list(&group["instanceTypes"]), "scaling": [size("minSize"), size("desiredSize"), size("maxSize")],
            "role": group["nodeRole"].as_str().unwrap_or_default(), "subnets": sorted(&group["subnets"]),
        }))
    };
    // For want of quota, capacity or the type itself: it would fail again, until somebody has done something.
    let lack = ["AsgInstanceLaunchFailures", "InstanceLimitExceeded", "Ec2InstanceTypeDoesNotExist", "InsufficientFreeAddresses"];
    let is_lack = issues(group).iter().any(|issue| lack.iter().any(|code| issue.starts_with(code)));
    match group["status"].as_str().unwrap_or_default() {
        "ACTIVE" => present(),
        // It heals at the next scale-out alone, and a group of no nodes is as wanted.
        "DEGRADED" if size("desiredSize") == 0 => present(),
        "DEGRADED" => Meant::Broken(issues(group), Remedy::Wait),
        "CREATE_FAILED" if is_lack => Meant::Broken(issues(group), Remedy::RecreateLater),
        "CREATE_FAILED" | "DELETE_FAILED" => Meant::Broken(issues(group), Remedy::Recreate),
        state => Meant::Changing(state.to_owned()),
    }
}

fn of_addon(addon: &Value) -> Meant {
    match addon["status"].as_str().unwrap_or_default() {
        "ACTIVE" => Meant::Present(json!({})),
        "CREATE_FAILED" | "UPDATE_FAILED" | "DELETE_FAILED" => Meant::Broken(issues(addon), Remedy::Recreate),
        state => Meant::Changing(state.to_owned()),
    }
}

/// `Code: message`, as EKS tells them.
fn issues(of: &Value) -> Vec<String> {
    let text = |issue: &Value, name: &str| issue[name].as_str().unwrap_or_default().to_owned();
    list(&of["health"]["issues"]).iter().map(|issue| format!("{}: {}", text(issue, "code"), text(issue, "message"))).collect()
}

/// A policy's statements in one shape: a list of one is the one, and order says nothing (IAM guide, "Grammar of the IAM JSON
/// policy language").
fn statements(policy: &Value) -> Value {
    fn alike(value: &Value) -> Value {
        match value {
            Value::Array(items) if items.len() == 1 => alike(&items[0]),
            Value::Array(items) => {
                let mut items: Vec<Value> = items.iter().map(alike).collect();
                items.sort_by_key(Value::to_string);
                Value::Array(items)
            }
            Value::Object(fields) => {
                let fields: std::collections::BTreeMap<_, _> =
                    fields.iter().map(|(key, value)| (key.clone(), alike(value))).collect();
                json!(fields)
            }
            other => other.clone(),
        }
    }
    match alike(&policy["Statement"]) {
        Value::Array(items) => Value::Array(items),
        one => json!([one]),
    }
}
