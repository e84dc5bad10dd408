import type { Operation } from '../operation.ts'
import { AbortMultipartUpload } from './abort-multipart-upload.ts'
import { CompleteMultipartUpload } from './complete-multipart-upload.ts'
import { CopyObject } from './copy-object.ts'
import { CreateBucket } from './create-bucket.ts'
import { CreateMultipartUpload } from './create-multipart-upload.ts'
import { DeleteBucketCors } from './delete-bucket-cors.ts'
import { DeleteBucketOwnershipControls } from './delete-bucket-ownership-controls.ts'
import { DeleteBucketPolicy } from './delete-bucket-policy.ts'
import { DeleteBucketTagging } from './delete-bucket-tagging.ts'
import { DeleteBucketWebsite } from './delete-bucket-website.ts'
import { DeleteBucket } from './delete-bucket.ts'
import { DeleteObjectTagging } from './delete-object-tagging.ts'
import { DeleteObject } from './delete-object.ts'
import { DeleteObjects } from './delete-objects.ts'
import { GetBucketAcl } from './get-bucket-acl.ts'
import { GetBucketCors } from './get-bucket-cors.ts'
import { GetBucketLocation } from './get-bucket-location.ts'
import { GetBucketOwnershipControls } from './get-bucket-ownership-controls.ts'
import { GetBucketPolicyStatus } from './get-bucket-policy-status.ts'
import { GetBucketPolicy } from './get-bucket-policy.ts'
import { GetBucketTagging } from './get-bucket-tagging.ts'
import { GetBucketVersioning } from './get-bucket-versioning.ts'
import { GetBucketWebsite } from './get-bucket-website.ts'
import { GetObjectAttributes } from './get-object-attributes.ts'
import { GetObjectLegalHold } from './get-object-legal-hold.ts'
import { GetObjectLockConfiguration } from './get-object-lock-configuration.ts'
import { GetObjectRetention } from './get-object-retention.ts'
import { GetObjectTagging } from './get-object-tagging.ts'
import { GetObject } from './get-object.ts'
import { HeadBucket } from './head-bucket.ts'
import { HeadObject } from './head-object.ts'
import * as later from './later.ts'
import { ListBuckets } from './list-buckets.ts'
import { ListMultipartUploads } from './list-multipart-uploads.ts'
import { ListObjectVersions } from './list-object-versions.ts'
import { ListObjectsV2 } from './list-objects-v2.ts'
import { ListObjects } from './list-objects.ts'
import { ListParts } from './list-parts.ts'
import { PreflightBucket, PreflightObject, PreflightService } from './preflight-options.ts'
import { PostObject } from './post-object.ts'
import { PutBucketAcl } from './put-bucket-acl.ts'
import { PutBucketCors } from './put-bucket-cors.ts'
import { PutBucketOwnershipControls } from './put-bucket-ownership-controls.ts'
import { PutBucketPolicy } from './put-bucket-policy.ts'
import { PutBucketTagging } from './put-bucket-tagging.ts'
import { PutBucketVersioning } from './put-bucket-versioning.ts'
import { PutBucketWebsite } from './put-bucket-website.ts'
import { PutObjectLegalHold } from './put-object-legal-hold.ts'
import { PutObjectLockConfiguration } from './put-object-lock-configuration.ts'
import { PutObjectRetention } from './put-object-retention.ts'
import { PutObjectTagging } from './put-object-tagging.ts'
import { PutObject } from './put-object.ts'
import * as refusals from './refusals.ts'
import { SelectObjectContent } from './select-object-content.ts'
import { UploadPartCopy } from './upload-part-copy.ts'
import { UploadPart } from './upload-part.ts'

/** Every operation, in the order requests are matched against them: of two that fit the first answers. */
export const operations: readonly Operation[] = [
  ListBuckets,
  PreflightService,

  PutBucketTagging,
  PutBucketOwnershipControls,
  PutBucketVersioning,
  PutObjectLockConfiguration,
  PutBucketCors,
  PutBucketPolicy,
  PutBucketAcl,
  PutBucketWebsite,
  ...later.bucketPuts,
  CreateBucket,
  HeadBucket,
  DeleteBucketTagging,
  DeleteBucketOwnershipControls,
  DeleteBucketPolicy,
  DeleteBucketCors,
  DeleteBucketWebsite,
  ...later.bucketDeletes,
  DeleteBucket,
  GetBucketLocation,
  GetBucketTagging,
  GetBucketOwnershipControls,
  GetBucketVersioning,
  GetBucketPolicy,
  GetBucketCors,
  GetObjectLockConfiguration,
  GetBucketAcl,
  ListMultipartUploads,
  ListObjectVersions,
  GetBucketPolicyStatus,
  GetBucketWebsite,
  ...later.bucketGetsAfterPolicyStatus,
  ListObjectsV2,
  ListObjects,
  DeleteObjects,
  PostObject,
  PreflightBucket,

  refusals.HeadWithCopySource,
  HeadObject,
  refusals.GetWithCopySource,
  refusals.UploadsOfKey,
  refusals.VersionsOfKey,
  GetObjectTagging,
  GetObjectRetention,
  GetObjectLegalHold,
  ...later.objectGets,
  GetObjectAttributes,
  ListParts,
  GetObject,
  refusals.DeleteWithCopySource,
  DeleteObjectTagging,
  AbortMultipartUpload,
  DeleteObject,
  ...later.objectPosts,
  SelectObjectContent,
  refusals.CompleteWithCopySource,
  CompleteMultipartUpload,
  CreateMultipartUpload,
  PutObjectTagging,
  PutObjectRetention,
  PutObjectLegalHold,
  ...later.objectPuts,
  UploadPartCopy,
  UploadPart,
  refusals.PartWithoutUpload,
  refusals.PutOfUpload,
  CopyObject,
  PutObject,
  PreflightObject,
]
