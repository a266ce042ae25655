//! Amazon Rekognition: faces in images.

pub mod detector;
