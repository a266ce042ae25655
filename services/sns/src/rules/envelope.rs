//! What subscribers receive: the envelope around a message, and the event for functions.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::message::{Attribute, Texts};

/// What stands in place of a signature: base64 of a sentence that says so.
const SIGNATURE: &str = "RmFrZSBzaWduYXR1cmU6IEZvZ2JhbmsgZG9lcyBub3Qgc2lnbiBtZXNzYWdlcyB5ZXQ=";
/// The file of the certificate; AWS names it by a hash.
const CERTIFICATE: &str = "SimpleNotificationService-00000000000000000000000000000000.pem";

/// A message on its way to the subscribers of a topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notification {
    pub(crate) message_id: String,
    pub(crate) topic_arn: String,
    pub(crate) subject: Option<String>,
    pub(crate) texts: Texts,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) group_id: Option<String>,
    pub(crate) at_millis: i64,
    pub(crate) signature_version: String,
    /// The cloud's URL, as the publisher reached it.
    pub(crate) cloud_url: String,
}

/// What an HTTP endpoint or a mailbox is asked to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// That it wants the subscription.
    Subscribe,
    /// That it no longer does.
    Unsubscribe,
}

impl Notification {
    /// The region of the topic, as the certificate's host names it.
    fn region(&self) -> &str {
        self.topic_arn.split(':').nth(3).unwrap_or_default()
    }

    /// Where the subscription can be ended.
    pub(crate) fn unsubscribe_url(&self, subscription_arn: &str) -> String {
        format!("{}/?Action=Unsubscribe&SubscriptionArn={subscription_arn}", self.cloud_url)
    }

    fn certificate_url(&self) -> String {
        format!("https://sns.{}.amazonaws.com/{CERTIFICATE}", self.region())
    }

    /// The envelope for queues, HTTP endpoints and `email-json`, written as AWS writes it.
    pub(crate) fn envelope(&self, protocol: &str, subscription_arn: &str) -> String {
        let mut lines = Lines::default();
        lines.text("Type", "Notification");
        lines.text("MessageId", &self.message_id);
        lines.text("TopicArn", &self.topic_arn);
        if let Some(subject) = &self.subject {
            lines.text("Subject", subject);
        }
        lines.text("Message", self.texts.of(protocol));
        lines.text("Timestamp", &timestamp(self.at_millis));
        lines.text("SignatureVersion", &self.signature_version);
        lines.text("Signature", SIGNATURE);
        lines.text("SigningCertURL", &self.certificate_url());
        lines.text("UnsubscribeURL", &self.unsubscribe_url(subscription_arn));
        if !self.attributes.is_empty() {
            let entries = self.attributes.iter().map(|attribute| {
                let Attribute { name, data_type, value } = attribute;
                let [name, data_type, value] = [name, data_type, value].map(|text| quoted(text));
                format!("    {name} : {{\"Type\":{data_type},\"Value\":{value}}}")
            });
            let entries: Vec<String> = entries.collect();
            lines.raw("MessageAttributes", &format!("{{\n{}\n  }}", entries.join(",\n")));
        }
        lines.finish()
    }

    /// The event that a function is invoked with.
    pub(crate) fn event(&self, subscription_arn: &str) -> Value {
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .map(|attribute| {
                let value = json!({"Type": attribute.data_type, "Value": attribute.value});
                (attribute.name.clone(), value)
            })
            .collect();
        json!({"Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription_arn,
            "Sns": {
                "Type": "Notification",
                "MessageId": self.message_id,
                "TopicArn": self.topic_arn,
                "Subject": self.subject,
                "Message": self.texts.of("lambda"),
                "Timestamp": timestamp(self.at_millis),
                "SignatureVersion": self.signature_version,
                "Signature": SIGNATURE,
                "SigningCertUrl": self.certificate_url(),
                "UnsubscribeUrl": self.unsubscribe_url(subscription_arn),
                "MessageAttributes": attributes,
            },
        }]})
    }

    /// The attributes of a queue's message, for raw delivery.
    pub(crate) fn queue_attributes(&self) -> Value {
        let entry = |attribute: &Attribute| {
            let field = if attribute.is_binary() { "BinaryValue" } else { "StringValue" };
            // A queue knows no arrays, which are text to it.
            let value = json!({"DataType": attribute.data_type, field: attribute.value});
            (attribute.name.clone(), value)
        };
        Value::Object(self.attributes.iter().map(entry).collect())
    }

    /// The text of an e-mail.
    pub(crate) fn mail(&self, subscription_arn: &str) -> String {
        format!(
            "{}\n\n--\nIf you wish to stop receiving notifications from this topic, please click or \
             visit the link below to unsubscribe:\n{}\n\nPlease do not reply directly to this email.\n",
            self.texts.of("email"),
            self.unsubscribe_url(subscription_arn)
        )
    }
}

/// The facts of a request to confirm something.
pub(crate) struct Confirmation<'a> {
    pub(crate) question: Question,
    pub(crate) message_id: &'a str,
    pub(crate) topic_arn: &'a str,
    pub(crate) subscription_arn: &'a str,
    pub(crate) token: &'a str,
    pub(crate) at_millis: i64,
    pub(crate) signature_version: &'a str,
    pub(crate) cloud_url: &'a str,
}

impl Confirmation<'_> {
    /// The type as the envelope and the header name it.
    pub(crate) fn kind(&self) -> &'static str {
        match self.question {
            Question::Subscribe => "SubscriptionConfirmation",
            Question::Unsubscribe => "UnsubscribeConfirmation",
        }
    }

    /// Where a visit confirms the subscription, or restores it.
    pub(crate) fn url(&self) -> String {
        format!(
            "{}/?Action=ConfirmSubscription&TopicArn={}&Token={}",
            self.cloud_url, self.topic_arn, self.token
        )
    }

    /// The envelope.
    pub(crate) fn envelope(&self) -> String {
        let message = match self.question {
            Question::Subscribe => format!(
                "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit \
                 the SubscribeURL included in this message.",
                self.topic_arn
            ),
            Question::Unsubscribe => format!(
                "You have chosen to deactivate subscription {}.\nTo cancel this operation and \
                 restore the subscription, visit the SubscribeURL included in this message.",
                self.subscription_arn
            ),
        };
        let region = self.topic_arn.split(':').nth(3).unwrap_or_default();
        let mut lines = Lines::default();
        lines.text("Type", self.kind());
        lines.text("MessageId", self.message_id);
        lines.text("Token", self.token);
        lines.text("TopicArn", self.topic_arn);
        lines.text("Message", &message);
        lines.text("SubscribeURL", &self.url());
        lines.text("Timestamp", &timestamp(self.at_millis));
        lines.text("SignatureVersion", self.signature_version);
        lines.text("Signature", SIGNATURE);
        lines.text("SigningCertURL", &format!("https://sns.{region}.amazonaws.com/{CERTIFICATE}"));
        lines.finish()
    }
}

/// A JSON object in AWS's layout and order.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn text(&mut self, name: &str, text: &str) {
        self.raw(name, &quoted(text));
    }

    fn raw(&mut self, name: &str, json: &str) {
        let separator = if self.0.is_empty() { "{\n" } else { ",\n" };
        let written = write!(self.0, "{separator}  \"{name}\" : {json}");
        debug_assert!(written.is_ok(), "text takes everything");
    }

    fn finish(self) -> String {
        self.0 + "\n}"
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A time as `2012-05-02T00:54:06.655Z`.
pub(crate) fn timestamp(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .unwrap_or_default()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification() -> Notification {
        Notification {
            message_id: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324".into(),
            topic_arn: "arn:aws:sns:us-west-2:123456789012:MyTopic".into(),
            subject: Some("My First Message".into()),
            texts: Texts::new("Hello \"world\"!".into(), None).unwrap(),
            attributes: vec![
                Attribute { name: "n".into(), data_type: "Number".into(), value: "1".into() },
                Attribute { name: "s".into(), data_type: "String".into(), value: "x".into() },
            ],
            group_id: None,
            at_millis: 1_335_920_046_655,
            signature_version: "1".into(),
            cloud_url: "http://127.0.0.1:4566".into(),
        }
    }

    #[test]
    fn an_envelope_is_laid_out_as_aws_does() {
        let arn = "arn:aws:sns:us-west-2:123456789012:MyTopic:c7fe3a54-ab0e-4ec2-88e0-db410a0f2bee";
        let envelope = notification().envelope("sqs", arn);
        let expected = format!(
            r#"{{
  "Type" : "Notification",
  "MessageId" : "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
  "Subject" : "My First Message",
  "Message" : "Hello \"world\"!",
  "Timestamp" : "2012-05-02T00:54:06.655Z",
  "SignatureVersion" : "1",
  "Signature" : "{SIGNATURE}",
  "SigningCertURL" : "https://sns.us-west-2.amazonaws.com/{CERTIFICATE}",
  "UnsubscribeURL" : "http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn={arn}",
  "MessageAttributes" : {{
    "n" : {{"Type":"Number","Value":"1"}},
    "s" : {{"Type":"String","Value":"x"}}
  }}
}}"#
        );
        assert_eq!(envelope, expected);
        assert!(serde_json::from_str::<Value>(&envelope).is_ok());
    }

    #[test]
    fn a_mail_begins_with_the_message() {
        assert!(notification().mail("arn").starts_with("Hello \"world\"!\n\n--\n"));
    }

    #[test]
    fn a_message_without_attributes_has_none_in_its_envelope() {
        let plain = Notification { attributes: Vec::new(), subject: None, ..notification() };
        let envelope: Value = serde_json::from_str(&plain.envelope("sqs", "arn")).unwrap();
        assert_eq!(envelope.get("MessageAttributes"), None);
        assert_eq!(envelope.get("Subject"), None);
        assert_eq!(plain.event("arn")["Records"][0]["Sns"]["Subject"], Value::Null);
    }
}
